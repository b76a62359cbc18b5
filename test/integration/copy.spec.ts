/** COPY inside a transaction: what was sent is what is stored, or nothing is. */
import { sql } from 'kysely';
import { copyInto, copyLine } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

const COLUMNS = ['id', 'text'] as const;
const lines = (...rows: (readonly [number | null, string | null])[]): Buffer[] =>
  rows.map((row) => Buffer.from(copyLine(row)));

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
  await base.admin.query(`CREATE TABLE copied (id bigint PRIMARY KEY, text text, note text DEFAULT 'none');
    GRANT SELECT, INSERT ON copied TO spine_app`);
});
afterAll(() => base.close());
beforeEach(() => base.admin.query('TRUNCATE copied'));

const inTransaction = <T>(work: (trx: DbTransaction) => Promise<T>): Promise<T> =>
  base.db.transaction().execute(work);

async function stored(): Promise<unknown[]> {
  return (await base.admin.query<object>('SELECT * FROM copied ORDER BY id')).rows;
}

describe('copyInto', () => {
  it('stores any text as it is, beside the other statements of the transaction', async () => {
    const awkward = ['\\N', '\\.', 'a\tb', 'a\nb\r\n', '', '💥 "x" \\', null];
    const copied = await inTransaction(async (trx) => {
      await sql`INSERT INTO copied (id, text) VALUES (100, 'before')`.execute(trx);
      const rows = awkward.map((text, id) => [id, text] as const);
      const count = await copyInto(trx, 'copied', COLUMNS, lines(...rows));
      await sql`INSERT INTO copied (id, text) VALUES (101, 'after')`.execute(trx);
      return count;
    });
    expect(copied).toBe(awkward.length);
    expect(await stored()).toEqual(
      [...awkward.map((text, id) => [id, text]), [100, 'before'], [101, 'after']].map(([id, text]) => ({
        id,
        text,
        note: 'none',
      })),
    );
  });

  it('takes chunks that end anywhere, and none', async () => {
    async function* bytes() {
      for (const byte of Buffer.concat(lines([1, 'één'], [2, 'b']))) yield Buffer.of(byte);
      await Promise.resolve();
    }
    expect(await inTransaction((trx) => copyInto(trx, 'copied', COLUMNS, bytes()))).toBe(2);
    expect(await inTransaction((trx) => copyInto(trx, 'copied', COLUMNS, []))).toBe(0);
    expect(await stored()).toMatchObject([{ text: 'één' }, { text: 'b' }]);
  });

  it('is of its transaction: nothing of it stays when that fails', async () => {
    const failed = inTransaction(async (trx) => {
      expect(await copyInto(trx, 'copied', COLUMNS, lines([1, 'a']))).toBe(1);
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    expect(await stored()).toEqual([]);
  });

  it.each([
    ['a row that breaks a constraint', () => lines([1, 'a'], [1, 'b']), { code: '23505' }, 'copied'],
    ['a row that is none', () => [Buffer.from('1\n')], { code: '22P04' }, 'copied'],
    ['a table that is not there', () => lines([1, 'a']), { code: '42P01' }, 'missing'],
    [
      'rows that end with an error',
      async function* () {
        yield* lines([1, 'a']);
        await Promise.resolve();
        throw new Error('the source broke');
      },
      { message: 'the source broke' },
      'copied',
    ],
  ] as const)('fails with %s, and the connection serves on', async (_, chunks, error, table) => {
    await expect(inTransaction((trx) => copyInto(trx, table, COLUMNS, chunks()))).rejects.toMatchObject(
      error,
    );
    expect(await stored()).toEqual([]);
    for (let each = 0; each < 12; each += 1) {
      expect(await inTransaction((trx) => copyInto(trx, 'copied', COLUMNS, lines([each, 'x'])))).toBe(1);
    }
  });

  it('quotes its identifiers', async () => {
    const hostile = inTransaction((trx) =>
      copyInto(trx, 'copied"; DROP TABLE copied; --', COLUMNS, lines([1, 'a'])),
    );
    await expect(hostile).rejects.toMatchObject({ code: '42P01' });
    expect(await stored()).toEqual([]);
  });
});
