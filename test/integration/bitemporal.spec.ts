/** Facts on two axes in Postgres: nothing is overwritten, nothing overlaps, whoever writes at the same time. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, supersede, timeInterval } from '@spine/core';
import type { BiTemporalRecord, JsonValue } from '@spine/core';
import { factAsOf, factHistory, factsAsOf, factTimeline, factVersion, supersedeFact } from '@spine/database';
import type { Db, DbTransaction, Fact, FactChange, FactOutcome, Pool } from '@spine/database';
import { openEngineDatabase, somebodyWaitsForALock } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

let base: EngineDatabase;
let admin: Pool;
let db: Db;
let watched: WatchedDb;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ admin, db } = base);
  watched = watchedDb(base.connectionString);
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

const day = (n: number): Date => new Date(Date.UTC(2025, 0, n));
const domain = 'sec';
const source = { runId: newId(), captureId: 'c1', sourceHash: 'a'.repeat(64), publishTime: day(2) };

const assertion = (
  factKey: string,
  [from, to]: readonly [number, number | null],
  value: JsonValue,
  more: Partial<FactChange> = {},
): FactChange => ({
  type: 'assert',
  domain,
  factKey,
  valid: timeInterval(day(from), to === null ? null : day(to)),
  value,
  source,
  ...more,
});

const change = (on: Db | DbTransaction, ...args: Parameters<typeof assertion>): Promise<FactOutcome> =>
  supersedeFact(on, assertion(...args));

function written(outcome: FactOutcome): Extract<FactOutcome, { type: 'superseded' }> {
  if (outcome.type !== 'superseded') throw new Error(`nothing was written: ${outcome.type}`);
  return outcome;
}

const at = (factKey: string, validAt: number, systemAt: Date | null = null): Promise<Fact | null> =>
  factAsOf(db, { domain, factKey, validAt: day(validAt), systemAt });

const history = (factKey: string): Promise<Fact[]> => factHistory(db, { domain, factKey }, null, 1_000);

describe('a fact', () => {
  it('that is amended is answered as it was believed, on both axes', async () => {
    const first = written(await change(db, 'aapl:eps', [1, null], '1.52'));
    const second = written(await change(db, 'aapl:eps', [1, null], '1.46'));
    expect([first.version, second.version, second.closed]).toEqual([1, 2, 1]);
    expect((await at('aapl:eps', 5))?.value).toBe('1.46');
    expect((await at('aapl:eps', 5, first.systemAt))?.value).toBe('1.52');
    expect((await at('aapl:eps', 5, second.systemAt))?.value).toBe('1.46');
    expect(await at('aapl:eps', 5, new Date(first.systemAt.getTime() - 1))).toBeNull();
    // 1 January is when it begins to hold.
    expect(await at('aapl:eps', 0)).toBeNull();
    expect(await history('aapl:eps')).toMatchObject([
      {
        value: '1.52',
        systemFrom: first.systemAt,
        systemTo: second.systemAt,
        version: 1,
        runId: source.runId,
      },
      { value: '1.46', systemFrom: second.systemAt, systemTo: null, version: 2, captureId: 'c1' },
    ]);
  });

  it('that is corrected in part is split; what is kept keeps where it came from', async () => {
    await change(db, 'split', [1, 31], { rate: '3.1' });
    const other = { runId: newId() };
    written(await change(db, 'split', [10, 20], { rate: '2.9' }, { source: other }));
    const now = await factTimeline(db, { domain, factKey: 'split', systemAt: null }, 10);
    expect(now).toMatchObject([
      {
        validFrom: day(1),
        validTo: day(10),
        value: { rate: '3.1' },
        runId: source.runId,
        captureId: 'c1',
        version: 2,
      },
      { validFrom: day(10), validTo: day(20), value: { rate: '2.9' }, runId: other.runId, captureId: null },
      {
        validFrom: day(20),
        validTo: day(31),
        value: { rate: '3.1' },
        publishTime: day(2),
        sourceHash: source.sourceHash,
      },
    ]);
    const before = new Date((now[0]?.systemFrom.getTime() ?? 0) - 1);
    expect(await factTimeline(db, { domain, factKey: 'split', systemAt: before }, 10)).toHaveLength(1);
    // A gap is not filled by anybody.
    await supersedeFact(db, {
      type: 'retract',
      domain,
      factKey: 'split',
      valid: timeInterval(day(10), day(20)),
    });
    expect([await at('split', 15), (await at('split', 20))?.value]).toEqual([null, { rate: '3.1' }]);
  });

  it('said again writes nothing', async () => {
    await change(db, 'same', [1, null], { a: 1, b: 2 });
    expect(await change(db, 'same', [3, 9], { b: 2, a: 1 })).toEqual({ type: 'unchanged', version: 1 });
    expect(await history('same')).toHaveLength(1);
  });

  it('is found with the others of its domain, page by page, by what was known', async () => {
    const pages = (validAt: number, systemAt: Date | null, afterKey: string | null = null, limit = 2) =>
      factsAsOf(db, { domain: 'pages', validAt: day(validAt), systemAt, afterKey, limit });
    let last: FactOutcome | undefined;
    for (const key of ['a', 'b', 'c', 'd']) last = await change(db, key, [1, 9], key, { domain: 'pages' });
    await change(db, 'b', [1, 9], 'B', { domain: 'pages' });
    await change(db, 'c', [5, 9], 'C', { domain: 'pages' });
    if (last?.type !== 'superseded') throw new Error('d was not written');
    expect((await pages(5, null)).map(({ value }) => value)).toEqual(['a', 'B']);
    expect((await pages(5, null, 'b')).map(({ value }) => value)).toEqual(['C', 'd']);
    expect((await pages(5, last.systemAt, null, 9)).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd']);
    expect(await pages(9, null)).toEqual([]);
  });

  it.each([
    ['', 'fact_key'],
    ['x'.repeat(501), 'fact_key'],
    ['a\0', 'fact_key'],
  ])('cannot be called %j', async (factKey, field) => {
    await expect(change(db, factKey, [1, 2], 1)).rejects.toMatchObject({
      issues: [{ field, code: 'invalid_text' }],
    });
  });
});

describe('superseding at the same time', () => {
  it('goes one after another, with growing system times, and leaves one belief', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, n) => change(db, 'race', [1 + (n % 3), 9], `v${n}`)),
    );
    const order = outcomes.map(written).sort((a, b) => a.version - b.version);
    expect(order.map(({ version }) => version)).toEqual(order.map((_, index) => index + 1));
    const times = order.map(({ systemAt }) => systemAt.getTime());
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
    const current = await factTimeline(db, { domain, factKey: 'race', systemAt: null }, 100);
    expect(current.filter(({ version }) => version === 12)).not.toEqual([]);
    expect(await factVersion(db, { domain, factKey: 'race' })).toBe(12);
  });

  it('from one version lets one win; the others are told', async () => {
    await change(db, 'cas', [1, null], 0);
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map((value) => change(db, 'cas', [1, null], value, { expectedVersion: 1 })),
    );
    expect(outcomes.filter(({ type }) => type === 'superseded')).toHaveLength(1);
    expect(outcomes.filter(({ type }) => type === 'conflict')).toEqual(
      [1, 2, 3].map(() => ({ type: 'conflict', expectedVersion: 1, version: 2 })),
    );
    expect(await history('cas')).toHaveLength(2);
  });

  it('waits for a change that is not committed yet, and sees it', async () => {
    let waiting: Promise<FactOutcome> | undefined;
    await db.transaction().execute(async (trx) => {
      await change(trx, 'wait', [1, 9], 'first');
      waiting = change(db, 'wait', [5, 9], 'second');
      await somebodyWaitsForALock(admin);
    });
    expect(await waiting).toMatchObject({ type: 'superseded', version: 2, closed: 1 });
    const now = await factTimeline(db, { domain, factKey: 'wait', systemAt: null }, 9);
    expect(now.map(({ value }) => value)).toEqual(['first', 'second']);
  });

  it('writes all or nothing of what a transaction holds', async () => {
    const failing = db.transaction().execute(async (trx) => {
      await change(trx, 'rolled', [1, 9], 'x');
      throw new Error('the step failed');
    });
    await expect(failing).rejects.toThrow('the step failed');
    expect([await history('rolled'), await factVersion(db, { domain, factKey: 'rolled' })]).toEqual([[], 0]);
  });

  it('meets a writer that took no lock with a named conflict', async () => {
    const client = await admin.connect();
    try {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO bitemporal_keys (domain, fact_key, system_at) VALUES ('sec', 'bypass', 'epoch')`,
      );
      await client.query('COMMIT');
      await client.query('BEGIN');
      await client.query(rawFact('bypass', `'2025-01-01', NULL, now() - interval '1 hour', NULL`));
      const meeting = expect(change(db, 'bypass', [1, 9], 'x')).rejects.toMatchObject({
        name: 'ConflictError',
      });
      await somebodyWaitsForALock(admin);
      await client.query('COMMIT');
      await meeting;
    } finally {
      client.release();
    }
    expect(await history('bypass')).toHaveLength(1);
  });

  it('keeps system time growing when the clock goes back', async () => {
    await change(db, 'clock', [1, null], 'x');
    // As if the clock had been ahead by a day until now.
    await admin.query(
      `UPDATE bitemporal_keys SET system_at = now() + interval '1 day' WHERE fact_key = 'clock'`,
    );
    const next = written(await change(db, 'clock', [1, null], 'y'));
    const after = written(await change(db, 'clock', [1, null], 'z'));
    expect(next.systemAt.getTime()).toBeGreaterThan(Date.now() + 3_600_000);
    expect(after.systemAt.getTime()).toBe(next.systemAt.getTime() + 1);
  });
});

function rawFact(factKey: string, times: string): string {
  return `INSERT INTO bitemporal_facts (domain, fact_key, version, valid_from, valid_to, system_from, system_to, value,
    value_hash, ingest_time, run_id) SELECT 'sec', '${factKey}', 1, ${times}, '1', repeat('0', 64), now(), gen_random_uuid()`;
}

describe('the schema', () => {
  it.each([
    ['the same instant of both axes', `'2025-01-05', '2025-01-06', now(), NULL`],
    ['an open interval from before', `'2024-01-01', NULL, now(), NULL`],
    ['the past of the system axis', `'2025-01-08', '2025-02-01', '2020-01-01', now() + interval '1 hour'`],
  ])('refuses a second belief about %s', async (_, times) => {
    await change(db, 'schema', [1, 9], 'x');
    await expect(admin.query(rawFact('schema', times))).rejects.toMatchObject({
      code: '23P01',
      constraint: 'bitemporal_facts_one_belief',
    });
  });

  it('takes what only touches, on either axis', async () => {
    const { systemAt } = written(await change(db, 'touch', [1, 9], 'x'));
    await admin.query(rawFact('touch', `'2025-01-09', '2025-01-10', now(), NULL`));
    await admin.query(rawFact('touch', `'2025-01-01', '2025-01-09', 'epoch', '${systemAt.toISOString()}'`));
    expect(await history('touch')).toHaveLength(3);
  });

  it('lets nobody rewrite a fact, open it again, or turn the clock of a key back', async () => {
    await change(db, 'frozen', [1, null], 'x');
    await change(db, 'frozen', [1, null], 'y');
    for (const set of [
      `value = '2', system_to = now() + interval '1 day'`,
      `valid_to = now(), system_to = now() + interval '1 day'`,
      'value_hash = value_hash',
    ]) {
      await expect(
        admin.query(`UPDATE bitemporal_facts SET ${set} WHERE fact_key = 'frozen' AND system_to IS NULL`),
      ).rejects.toThrow('may only be closed, once');
    }
    for (const set of ['system_to = NULL', `system_to = now() + interval '1 day'`]) {
      await expect(
        admin.query(`UPDATE bitemporal_facts SET ${set} WHERE fact_key = 'frozen' AND system_to IS NOT NULL`),
      ).rejects.toThrow('may only be closed, once');
    }
    for (const set of [
      `system_at = system_at - interval '1 ms'`,
      'version = version - 1',
      'version = version + 1',
    ]) {
      await expect(
        admin.query(`UPDATE bitemporal_keys SET ${set} WHERE fact_key = 'frozen'`),
      ).rejects.toThrow('may not go from');
    }
  });

  it.each([
    'DELETE FROM bitemporal_facts',
    'UPDATE bitemporal_facts SET value = value',
    'UPDATE bitemporal_facts SET valid_to = now()',
    'TRUNCATE bitemporal_facts',
    'DELETE FROM bitemporal_keys',
    `UPDATE bitemporal_keys SET fact_key = 'x'`,
  ])('does not let the services %s', async (statement) => {
    await expect(base.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

const SPAN = 8;
const sequences = fc.array(
  fc.record({
    from: fc.integer({ min: 1, max: SPAN }),
    length: fc.option(fc.integer({ min: 1, max: SPAN }), { nil: null }),
    value: fc.option(fc.integer({ min: 0, max: 2 }), { nil: null }),
  }),
  { minLength: 1, maxLength: 8 },
);

describe('any sequence of changes', () => {
  it('is stored as the pure model has it, and answers alike on both axes', async () => {
    let keys = 0;
    await fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        const factKey = `any-${(keys += 1)}`;
        let model: readonly BiTemporalRecord<number>[] = [];
        // What is believed of each day, as a table, after each change, by its system time.
        const tables: { readonly systemAt: Date; readonly days: readonly (number | null)[] }[] = [];
        let days: (number | null)[] = Array.from({ length: SPAN * 2 + 2 }, () => null);
        for (const { from, length, value } of sequence) {
          const valid = timeInterval(day(from), length === null ? null : day(from + length));
          const outcome = await supersedeFact(
            db,
            value === null
              ? { type: 'retract', domain, factKey, valid }
              : { type: 'assert', domain, factKey, valid, value, source },
          );
          days = days.map((old, n) => (n >= from && (length === null || n < from + length) ? value : old));
          if (outcome.type !== 'superseded') continue;
          model = supersede(
            model,
            value === null ? { type: 'retract', valid } : { type: 'assert', valid, payload: value },
            outcome.systemAt,
          );
          tables.push({ systemAt: outcome.systemAt, days });
        }
        const stored = (await history(factKey)).map(
          ({ validFrom, validTo, systemFrom, systemTo, value }) => ({
            validFrom,
            validTo,
            systemFrom,
            systemTo,
            payload: value,
          }),
        );
        expect(stored).toEqual(model.map(({ version: _, ...record }) => record));
        // One statement asks for every point of both axes.
        const { rows } = await admin.query<{ seen: (number | null)[] }>(
          `SELECT array_agg((SELECT value::int FROM bitemporal_facts f WHERE f.domain = 'sec' AND f.fact_key = $1
               AND tstzrange(f.valid_from, f.valid_to) @> d AND tstzrange(f.system_from, f.system_to) @> s) ORDER BY d) AS seen
           FROM unnest($2::timestamptz[]) d, unnest($3::timestamptz[]) s GROUP BY s ORDER BY s`,
          [factKey, days.map((_, n) => day(n)), tables.map(({ systemAt }) => systemAt)],
        );
        expect(rows.map(({ seen }) => seen)).toEqual(tables.map((table) => table.days));
        const [first] = tables;
        if (first !== undefined)
          expect((await at(factKey, 1, first.systemAt))?.value ?? null).toBe(first.days[1]);
        expect((await at(factKey, SPAN))?.value ?? null).toBe(days[SPAN]);
      }),
      { numRuns: 25 },
    );
  });
});

describe('among many facts', () => {
  beforeAll(async () => {
    await admin.query(`INSERT INTO bitemporal_keys (domain, fact_key, version, system_at)
      SELECT 'many', 'k' || n, 2, now() FROM generate_series(1, 2000) n`);
    await admin.query(`INSERT INTO bitemporal_facts (domain, fact_key, version, valid_from, valid_to, system_from, system_to,
        value, value_hash, ingest_time, run_id)
      SELECT 'many', 'k' || n, 1, '2025-01-01', NULL, '2025-02-01'::timestamptz + v * interval '1 day',
        CASE WHEN v < 5 THEN '2025-02-01'::timestamptz + (v + 1) * interval '1 day' END, '1', repeat('0', 64), now(), gen_random_uuid()
      FROM generate_series(1, 2000) n, generate_series(1, 5) v`);
    await admin.query('ANALYZE bitemporal_facts, bitemporal_keys');
  });

  const point = { domain: 'many', factKey: 'k7', validAt: day(9), systemAt: day(34) };
  it.each([
    ['as of the past', 'bitemporal_facts_one_belief', (on: Db) => factAsOf(on, point)],
    [
      'as of now',
      /^bitemporal_facts_(one_belief|current)$/,
      (on: Db) => factAsOf(on, { ...point, systemAt: null }),
    ],
    [
      'a page of a domain',
      /^bitemporal_facts_(one_belief|history)$/,
      (on: Db) => factsAsOf(on, { ...point, afterKey: 'k1', limit: 50 }),
    ],
    ['a timeline', /^bitemporal_facts_/, (on: Db) => factTimeline(on, point, 50)],
    ['a history', 'bitemporal_facts_history', (on: Db) => factHistory(on, point, null, 50)],
  ] as const)('%s is found by %s', async (_, index, ask) => {
    const { seqScans, indexes } = await watched.planOf(ask);
    expect(seqScans).toEqual([]);
    expect(indexes.some((used) => (typeof index === 'string' ? used === index : index.test(used)))).toBe(
      true,
    );
  });
});
