/** Rows written by hash and by key, on a real table: repeated, interrupted, and by several at once. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InvariantError, sha256Hex, ValidationError } from '@spine/core';
import {
  appendByHash,
  dataTable,
  deleteForKey,
  existingHashes,
  existingHashesSql,
  hashExists,
  replaceForKey,
  replaceForKeys,
} from '@spine/database';
import type { DataRow, DbTransaction } from '@spine/database';
import { openEngineDatabase, openTransaction, somebodyWaitsForALock } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf } from './plan-support.ts';

const volumes = dataTable({
  name: 'test_weekly_volume',
  columns: ['week_ending', 'tier', 'symbol', 'shares', 'record_hash', 'detail'],
  key: ['week_ending', 'tier'],
  hashColumn: 'record_hash',
});
type Row = DataRow<'week_ending' | 'tier' | 'symbol' | 'shares' | 'record_hash' | 'detail'>;

const WEEK = '2025-12-26';
const OTC = volumes.key.key({ week_ending: WEEK, tier: 'OTC' });

let hashes = 0;
function row(symbol: string, shares = '1', more: Partial<Row> = {}): Row {
  hashes += 1;
  const record_hash = sha256Hex(`${symbol} ${hashes}`);
  return { week_ending: WEEK, tier: 'OTC', symbol, shares, record_hash, detail: null, ...more };
}

let database: EngineDatabase;

beforeAll(async () => {
  database = await openEngineDatabase();
  await database.admin.query(`
    CREATE TABLE test_weekly_volume (
      week_ending date NOT NULL, tier text NOT NULL, symbol text NOT NULL, shares numeric NOT NULL CHECK (shares >= 0),
      record_hash text NOT NULL UNIQUE, detail jsonb, written_at timestamptz NOT NULL DEFAULT now());
    GRANT SELECT, INSERT, DELETE ON test_weekly_volume TO spine_app`);
});
afterAll(() => database.close());
beforeEach(() => database.admin.query('DELETE FROM test_weekly_volume'));

async function stored(): Promise<string[]> {
  const { rows } = await database.admin.query<{ text: string }>(
    `SELECT concat_ws(' ', tier, symbol, shares) AS text FROM test_weekly_volume ORDER BY 1`,
  );
  return rows.map(({ text }) => text);
}

function replace(rows: readonly Row[], key = OTC) {
  return database.db.transaction().execute((trx) => replaceForKey(trx, volumes, key, rows));
}

describe('replacing the rows of a key', () => {
  it('leaves exactly the new rows, however often, and touches no other key', async () => {
    const nms = volumes.key.key({ week_ending: WEEK, tier: 'NMS_TIER_1' });
    await replace([row('AAPL', '7', { tier: 'NMS_TIER_1' })], nms);
    expect(await replace([row('AAA', '1'), row('BBB', '2')])).toEqual({ deleted: 0, inserted: 2 });
    expect(await replace([row('AAA', '1'), row('CCC', '3')])).toEqual({ deleted: 2, inserted: 2 });
    expect(await replace([row('AAA', '1'), row('CCC', '3')])).toEqual({ deleted: 2, inserted: 2 });
    expect(await stored()).toEqual(['NMS_TIER_1 AAPL 7', 'OTC AAA 1', 'OTC CCC 3']);
    expect(await replace([])).toEqual({ deleted: 2, inserted: 0 });
    expect(await stored()).toEqual(['NMS_TIER_1 AAPL 7']);
  });

  it('writes amounts, JSON and null as they are', async () => {
    const exact = '12345678901234567890123.000000000000000001';
    await replace([row('AAA', exact, { detail: { list: [1, 'a'], more: null } }), row('BBB', '0')]);
    const { rows } = await database.admin.query(
      'SELECT shares, detail, written_at IS NOT NULL AS dated FROM test_weekly_volume ORDER BY symbol',
    );
    expect(rows).toEqual([
      { shares: exact, detail: { list: [1, 'a'], more: null }, dated: true },
      { shares: '0', detail: null, dated: true },
    ]);
  });

  it.each([
    ['of another key', row('BBB', '1', { tier: 'NMS_TIER_1' }), 'rows[1].tier'],
    ['with NaN', row('BBB', '1', { detail: [Number.NaN] }), 'detail'],
    ['with NUL', row('B\0B'), 'rows[1].symbol'],
    ['without a column', { week_ending: WEEK, tier: 'OTC' } as Row, 'rows[1].symbol'],
    ['with a column more', { ...row('BBB'), 'x" OR true': 1 }, 'rows[1].x" OR true'],
  ])('refuses a row %s before anything is deleted', async (_, wrong, place) => {
    await replace([row('OLD')]);
    await expect(replace([row('AAA'), wrong])).rejects.toThrow(ValidationError);
    await expect(replace([row('AAA'), wrong])).rejects.toThrow(place);
    expect(await stored()).toEqual(['OTC OLD 1']);
  });

  it('keeps the old rows when the last of many new ones is refused by the table', async () => {
    await replace([row('OLD')]);
    const many = Array.from({ length: 1_500 }, (_, index) => row(`S${index}`));
    await expect(replace([...many, row('BAD', '-1')])).rejects.toThrow('violates check constraint');
    expect(await stored()).toEqual(['OTC OLD 1']);
    expect(await replace(many)).toEqual({ deleted: 1, inserted: 1_500 });
  });

  it('keeps the old rows when the connection is killed between deleting and writing', async () => {
    await replace([row('OLD')]);
    const fresh = row('NEW');
    // A row with the same hash that is not committed yet: the DELETE passes, the INSERT waits here.
    const holder = await openTransaction(database.admin);
    await holder.client.query(
      'INSERT INTO test_weekly_volume (week_ending, tier, symbol, shares, record_hash) VALUES ($1, $2, $3, $4, $5)',
      [WEEK, 'OTHER', 'HOLD', '1', fresh.record_hash],
    );
    const replaced = replace([fresh]).catch((error: unknown) => error);
    await somebodyWaitsForALock(database.admin);
    const { rows } = await database.admin.query<{ query: string }>(`
      SELECT query, pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`);
    expect(rows.map(({ query }) => query.split(' ', 2).join(' '))).toEqual(['INSERT INTO']);
    expect(await replaced).toBeInstanceOf(Error);
    await holder.end('ROLLBACK');
    expect(await stored()).toEqual(['OTC OLD 1']);
  });

  it('refuses a transaction whose DELETE could not see what was committed before its turn', async () => {
    for (const level of ['repeatable read', 'serializable'] as const) {
      const work = database.db
        .transaction()
        .setIsolationLevel(level)
        .execute((trx) => replaceForKey(trx, volumes, OTC, [row('AAA')]));
      await expect(work).rejects.toThrow(InvariantError);
    }
    expect(await stored()).toEqual([]);
  });
});

describe('a domain table', () => {
  it('is declared and written as the documentation shows', async () => {
    const { db } = database;
    const rows = ['AAA', 'BBB'].map((symbol) => {
      const { detail: _, ...rest } = row(symbol);
      return rest;
    });
    const weekly = dataTable({
      name: 'test_weekly_volume',
      columns: ['week_ending', 'tier', 'symbol', 'shares', 'record_hash'],
      key: ['week_ending', 'tier'],
      hashColumn: 'record_hash',
    });
    const otc = weekly.key.key({ week_ending: '2025-12-26', tier: 'OTC' });
    const replaced = await db.transaction().execute((trx) => replaceForKey(trx, weekly, otc, rows));
    const appended = await appendByHash(db, weekly, rows);
    expect([replaced, appended]).toEqual([
      { deleted: 0, inserted: 2 },
      { inserted: 0, skipped: 2 },
    ]);
  });
});

describe('two that replace one key at once', () => {
  type Replace = (trx: DbTransaction, rows: readonly Row[]) => Promise<unknown>;

  /** The first has written and not committed when the second begins. */
  async function race(how: Replace, waits: boolean): Promise<string[]> {
    const first = await database.db.startTransaction().execute();
    await how(first, [row('FIRST')]);
    const second = database.db.transaction().execute((trx) => how(trx, [row('SECOND')]));
    if (waits) await somebodyWaitsForALock(database.admin);
    else await second;
    await first.commit().execute();
    await second;
    return stored();
  }

  const taking: Replace = (trx, rows) => replaceForKey(trx, volumes, OTC, rows);
  const without: Replace = async (trx, rows) => {
    await sql`DELETE FROM test_weekly_volume WHERE week_ending = ${WEEK} AND tier = 'OTC'`.execute(trx);
    await appendByHash(trx, volumes, rows);
  };

  it('leave the rows of the later one, on an empty key and on a full one', async () => {
    expect(await race(taking, true)).toEqual(['OTC SECOND 1']);
    expect(await race(taking, true)).toEqual(['OTC SECOND 1']);
  });

  it('would leave the rows of both without taking turns', async () => {
    expect(await race(without, false)).toEqual(['OTC FIRST 1', 'OTC SECOND 1']);
    // Now the second waits for the rows that the first deletes, and still does not see those it writes.
    expect(await race(without, true)).toEqual(['OTC FIRST 1', 'OTC SECOND 1']);
  });

  it('leave the rows of one alone, however many replace however many keys', async () => {
    const keys = ['A', 'B', 'C'].map((tier) => volumes.key.key({ week_ending: WEEK, tier }));
    const writers = Array.from({ length: 18 }, (_, writer) => {
      const key = keys[writer % keys.length] ?? OTC;
      const tier = String(key.toObject()['tier']);
      const rows = Array.from({ length: 1 + writer }, () => row(`W${writer}`, '1', { tier }));
      return replace(rows, key);
    });
    await Promise.all(writers);
    const { rows } = await database.admin.query<{ tier: string; symbol: string; n: number }>(
      'SELECT tier, symbol, count(*)::int AS n FROM test_weekly_volume GROUP BY 1, 2 ORDER BY 1',
    );
    expect(rows.map(({ tier }) => tier)).toEqual(['A', 'B', 'C']);
    for (const { symbol, n } of rows) expect(symbol).toBe(`W${n - 1}`);
  });

  it('do not wait for those of other keys', async () => {
    const first = await database.db.startTransaction().execute();
    await deleteForKey(first, volumes, OTC);
    const nms = volumes.key.key({ week_ending: WEEK, tier: 'NMS_TIER_1' });
    expect(await replace([row('AAPL', '1', { tier: 'NMS_TIER_1' })], nms)).toEqual({
      deleted: 0,
      inserted: 1,
    });
    await first.rollback().execute();
  });
});

describe('replacing several keys', () => {
  const keys = ['B', 'A'].map((tier) => volumes.key.key({ week_ending: WEEK, tier }));
  const states = () =>
    keys.map((key) => ({ key, rows: [row('S', '1', { tier: String(key.toObject()['tier']) })] }));

  it('takes the keys in one order, so that nobody waits for a key while holding a later one', async () => {
    const [later, earlier] = keys;
    if (later === undefined || earlier === undefined) throw new Error('two keys');
    const first = await database.db.startTransaction().execute();
    await deleteForKey(first, volumes, earlier);
    const second = database.db.transaction().execute((trx) => replaceForKeys(trx, volumes, states()));
    await somebodyWaitsForALock(database.admin);
    // Had the second begun with the later key, this would be a deadlock.
    await deleteForKey(first, volumes, later);
    await first.commit().execute();
    expect(await second).toEqual({ deleted: 0, inserted: 2 });
    expect(await database.db.transaction().execute((trx) => replaceForKeys(trx, volumes, states()))).toEqual({
      deleted: 2,
      inserted: 2,
    });
    const twice = [...states(), ...states().slice(1)];
    await expect(
      database.db.transaction().execute((trx) => replaceForKeys(trx, volumes, twice)),
    ).rejects.toThrow('occurs twice');
    expect(await stored()).toEqual(['A S 1', 'B S 1']);
  });
});

describe('appending by hash', () => {
  it('skips what is there, in the table and in the call', async () => {
    const [a, b] = [row('AAA'), row('BBB')];
    expect(await appendByHash(database.db, volumes, [a, b, a])).toEqual({ inserted: 2, skipped: 1 });
    expect(await appendByHash(database.db, volumes, [b, row('CCC')])).toEqual({ inserted: 1, skipped: 1 });
    expect(await stored()).toEqual(['OTC AAA 1', 'OTC BBB 1', 'OTC CCC 1']);
  });

  it('tells which hashes are there, over more than one page', async () => {
    const rows = Array.from({ length: 1_200 }, (_, index) => row(`S${index}`));
    const known = rows.map(({ record_hash }) => String(record_hash));
    await appendByHash(database.db, volumes, rows);
    const asked = known.flatMap((hash) => [hash, sha256Hex(`not ${hash}`)]);
    expect(await existingHashes(database.db, volumes, asked)).toEqual(new Set(known));
    expect(await existingHashes(database.db, volumes, [])).toEqual(new Set());
    expect(await hashExists(database.db, volumes, known[0] ?? '')).toBe(true);
    expect(await hashExists(database.db, volumes, 'a "quoted\\" one')).toBe(false);
    const compiled = existingHashesSql(volumes, known.slice(0, 10)).compile(database.db);
    await database.admin.query('ANALYZE test_weekly_volume');
    const plan = await planOf(database.admin, 'force_custom_plan', {
      text: compiled.sql,
      values: compiled.parameters,
    });
    expect(plan).toMatchObject({ seqScans: [], indexes: ['test_weekly_volume_record_hash_key'] });
  });

  it('writes each row once, however many write at once', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => row(`S${index}`));
    const all = await Promise.all([1, 2, 3, 4].map(() => appendByHash(database.db, volumes, rows)));
    expect(all.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(300);
    expect(await stored()).toHaveLength(300);
  });

  it('writes all rows or none', async () => {
    const many = Array.from({ length: 1_100 }, (_, index) => row(`S${index}`));
    await expect(appendByHash(database.db, volumes, [...many, row('BAD', '-1')])).rejects.toThrow(
      'check constraint',
    );
    await expect(
      appendByHash(database.db, volumes, [row('AAA', '1', { record_hash: null })]),
    ).rejects.toThrow('rows[0].record_hash: it is no hash');
    expect(await stored()).toEqual([]);
  });
});

describe('a table that code declares', () => {
  const columns = ['a', 'b'] as const;

  it.each([
    ['x; DROP TABLE runs', 'a', 'b'],
    ['ok', 'c', 'b'],
    ['ok', 'a', 'c'],
  ])('is refused as %j with the key %s and the hash %s', (name, key, hashColumn) => {
    expect(() => dataTable<string, string>({ name, columns, key: [key], hashColumn })).toThrow(
      ValidationError,
    );
  });

  it('has to have hashes for what goes by hash', async () => {
    const plain = dataTable({ name: 'test_weekly_volume', columns: ['tier'], key: ['tier'] });
    await expect(existingHashes(database.db, plain, ['x'])).rejects.toThrow(InvariantError);
  });
});
