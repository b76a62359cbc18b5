/** Watermarks: whoever writes, and in whatever order, the highest stands. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, parseHighWater, watermarkVerdict } from '@spine/core';
import type { WatermarkKind } from '@spine/core';
import { advanceWatermark, getWatermark, listWatermarks } from '@spine/database';
import type { NewWatermark } from '@spine/database';
import { openEngineDatabase, openTransaction, somebodyWaitsForALock } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
afterAll(() => base.close());

let sources = 0;
const newSource = () => `source-${(sources += 1)}`;

const mark = (source: string, highWater: string, more: Partial<NewWatermark> = {}): NewWatermark => ({
  domain: 'equity',
  source,
  partitionKey: { symbol: 'AAPL' },
  kind: 'date',
  highWater,
  ...more,
});

describe('a watermark', () => {
  it('is made, advanced, and kept against what lies behind', async () => {
    const source = newSource();
    const runId = newId();
    expect(await getWatermark(base.db, 'equity', source, { symbol: 'AAPL' })).toBeNull();
    expect(
      await advanceWatermark(base.db, mark(source, '2026-02-15', { metadata: { rows: 3 } })),
    ).toMatchObject({
      outcome: 'advanced',
      current: { highWater: '2026-02-15', metadata: { rows: 3 }, runId: null },
    });
    expect(await advanceWatermark(base.db, mark(source, '2026-02-14', { runId }))).toMatchObject({
      outcome: 'behind',
      current: { highWater: '2026-02-15', runId: null },
    });
    expect(
      await advanceWatermark(base.db, mark(source, '2026-02-15', { metadata: { rows: 4 } })),
    ).toMatchObject({
      outcome: 'unchanged',
      current: { metadata: { rows: 3 } },
    });
    const advanced = await advanceWatermark(base.db, mark(source, '2026-02-16', { runId, batchId: 'b' }));
    expect(advanced).toMatchObject({ outcome: 'advanced', current: { runId, batchId: 'b', metadata: {} } });
    expect(await getWatermark(base.db, 'equity', source, { symbol: 'AAPL' })).toEqual(advanced.current);
    // Another partition has its own.
    expect(await advanceWatermark(base.db, mark(source, '2020-01-01', { partitionKey: {} }))).toMatchObject({
      outcome: 'advanced',
    });
  });

  it('keeps its kind, and refuses what is not of it', async () => {
    const source = newSource();
    await advanceWatermark(base.db, mark(source, '7', { kind: 'integer' }));
    await expect(advanceWatermark(base.db, mark(source, '2026-02-15'))).rejects.toThrow(
      'kind: is date, but the watermark is of kind integer',
    );
    await expect(advanceWatermark(base.db, mark(source, 'x', { kind: 'integer' }))).rejects.toThrow(
      'high_water: "x" must be a whole number',
    );
    expect(await advanceWatermark(base.db, mark(source, '10', { kind: 'integer' }))).toMatchObject({
      outcome: 'advanced',
    });
  });

  it('is the higher one of two writers at once', async () => {
    const source = newSource();
    await advanceWatermark(base.db, mark(source, '2026-01-01'));
    const first = await openTransaction(base.admin);
    await first.client.query(`UPDATE watermarks SET high_water = '2026-03-01' WHERE source = $1`, [source]);
    const second = advanceWatermark(base.db, mark(source, '2026-02-01'));
    await somebodyWaitsForALock(base.admin);
    await first.end('COMMIT');
    expect(await second).toMatchObject({ outcome: 'behind', current: { highWater: '2026-03-01' } });
  });

  it('commits and goes back with the transaction it is written in', async () => {
    const source = newSource();
    await expect(
      base.db.transaction().execute(async (trx) => {
        await advanceWatermark(trx, mark(source, '2026-02-15'));
        throw new Error('the step failed');
      }),
    ).rejects.toThrow('the step failed');
    expect(await getWatermark(base.db, 'equity', source, { symbol: 'AAPL' })).toBeNull();
  });

  const marks: Readonly<Record<WatermarkKind, fc.Arbitrary<string>>> = {
    date: fc.constantFrom('2025-12-31', '2026-01-01', '1999-01-01', '9999-12-31'),
    instant: fc.constantFrom(
      '2026-01-01T00:00:00Z',
      '2026-01-01T01:00:00+02:00',
      '2026-01-01T00:00:00.000001Z',
    ),
    integer: fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    text: fc.constantFrom('a', 'B', 'é', 'z', 'ab', '～', '😀', 'Z'),
  };

  it.each(['date', 'instant', 'integer', 'text'] as const)(
    'of kind %s moves in the database exactly as the pure verdict says',
    async (kind) => {
      await fc.assert(
        fc.asyncProperty(fc.array(marks[kind], { minLength: 2, maxLength: 6 }), async (proposed) => {
          const source = newSource();
          let standing: string | null = null;
          for (const text of proposed) {
            const highWater = parseHighWater(kind, text);
            const verdict = watermarkVerdict(standing === null ? null : { kind, highWater: standing }, {
              kind,
              highWater,
            });
            if (verdict === 'advanced') standing = highWater;
            const { outcome, current } = await advanceWatermark(base.db, mark(source, text, { kind }));
            expect([outcome, current.highWater]).toEqual([verdict, standing]);
          }
        }),
        { numRuns: 15 },
      );
    },
  );

  it('never goes back, whoever writes', async () => {
    const source = newSource();
    await advanceWatermark(base.db, mark(source, '2026-02-15'));
    await expect(
      base.admin.query(`UPDATE watermarks SET high_water = '2026-02-14' WHERE source = $1`, [source]),
    ).rejects.toThrow('may not go from date 2026-02-15 to date 2026-02-14');
    await expect(
      base.admin.query(`UPDATE watermarks SET kind = 'text' WHERE source = $1`, [source]),
    ).rejects.toThrow('to text 2026-02-15');
    await expect(base.pool.query('DELETE FROM watermarks')).rejects.toThrow('permission denied');
  });
});

describe('a list of watermarks', () => {
  it('is by domain, source and partition, and goes on after the last one seen', async () => {
    const source = newSource();
    for (const symbol of ['C', 'A', 'B']) {
      await advanceWatermark(
        base.db,
        mark(source, '2026-01-01', { domain: 'list', partitionKey: { symbol } }),
      );
    }
    const page = await listWatermarks(base.db, { domain: 'list' }, { limit: 2 });
    expect([page.items.map(({ partitionKey }) => partitionKey['symbol']), page.total, page.hasMore]).toEqual([
      ['A', 'B'],
      3,
      true,
    ]);
    const rest = await listWatermarks(
      base.db,
      { domain: 'list', source },
      { limit: 2, after: { domain: 'list', source, partitionKey: '{"symbol":"B"}' } },
    );
    expect([rest.items.map(({ partitionKey }) => partitionKey['symbol']), rest.hasMore]).toEqual([
      ['C'],
      false,
    ]);
    await expect(listWatermarks(base.db, { source }, { limit: 1 })).rejects.toThrow(
      'source: needs domain beside it',
    );
  });
});
