import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { HINT_HORIZON_MS, insertRuns } from '@spine/database';
import type { InsertInfo, InsertOutcome, NewRun, Pool } from '@spine/database';
// The encoders are an inner matter of the package; only a server can say whether they are right.
import { plainArray, textArray } from '../../libs/database/src/sql/arrays.ts';
import {
  claimed,
  eventsOf,
  inconsistentRuns,
  openEngineDatabase,
  openTransaction,
  rowOf,
  runOf,
  settle,
  somebodyWaitsForALock,
  store,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let pool: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  pool = base.pool;
});
beforeEach(() => base.clear());
afterEach(async () => {
  expect(await inconsistentRuns(base.pool)).toEqual([]);
});
afterAll(() => base.close());

const insert = (runs: readonly NewRun[], info: Partial<InsertInfo> = {}, db: Pick<Pool, 'query'> = pool) =>
  insertRuns(db as Pool, runs, { ambiguous: false, hinted: true, ...info });
const types = (outcomes: readonly InsertOutcome[]): string[] => outcomes.map(({ type }) => type);
const stored = async (): Promise<number> =>
  (await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM runs')).rows[0]?.n ?? -1;

const keyed = (key: string, params: Record<string, unknown> = {}): NewRun =>
  runOf({ idempotencyKey: key, params });

/** Every field of a run, each with a value that {@link runOf} does not give it. */
const OTHER: { readonly [Field in keyof Omit<NewRun, 'runId'>]: NewRun[Field] } = {
  kind: 'operation',
  name: 'sleep',
  lane: 'slow',
  priority: 'high',
  params: '{"other":1}',
  metadata: '{"other":"m"}',
  tags: ['other'],
  idempotencyKey: 'other',
  specHash: 'other',
  correlationId: 'other',
  parentRunId: newId(),
  parentEpoch: 1,
  retryOfRunId: newId(),
  triggerSource: 'other',
  maxAttempts: 9,
  retryDelayMs: 99,
  timeoutMs: 999,
  deadLetter: false,
  runAfter: new Date('2999-01-01T00:00:00Z'),
  expiresAt: new Date('2999-01-02T00:00:00Z'),
  deadlineMs: 9_999,
  singletonKey: 'other',
  retryPolicy: '{"type":"none"}',
  gates: '{"other":1}',
  paramsRef: 'other',
  namespace: 'other',
  submittedBy: 'other',
  traceContext: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

describe('runs of one batch', () => {
  /** A key has a hash; a fence has a parent, which must be running. */
  const together = async (field: keyof typeof OTHER): Promise<Partial<NewRun>> => {
    if (field === 'idempotencyKey' || field === 'specHash') {
      return { idempotencyKey: OTHER.idempotencyKey, specHash: OTHER.specHash };
    }
    if (field !== 'parentEpoch') return { [field]: OTHER[field] };
    const { runId, epoch } = await claimed(pool);
    return { parentRunId: runId, parentEpoch: epoch };
  };
  /** What is its own of each run, and what the clock says. */
  const OWN = ['id', 'created_at', 'available_at', 'dispatch_after', 'run_deadline_at'];
  const shown = async ({ runId }: NewRun): Promise<unknown> =>
    Object.fromEntries(
      Object.entries(await rowOf(pool, runId)).map(([column, value]) => [
        column,
        OWN.includes(column) ? value === null : value,
      ]),
    );

  it.each(Object.keys(OTHER) as (keyof typeof OTHER)[])(
    'that differ only in %s keep their own, and share what they have alike',
    async (field) => {
      const other = await together(field);
      const [usual, second] = [runOf(), runOf({}, other)];
      expect(types(await insert([usual, second]))).toEqual(['inserted', 'inserted']);
      const batched = [await shown(usual), await shown(second)];
      expect(batched[0]).not.toEqual(batched[1]);

      await base.admin.query('DELETE FROM runs WHERE id = ANY ($1)', [[usual.runId, second.runId]]);
      const [usualAlone, secondAlone] = [runOf(), runOf({}, other)];
      await insert([usualAlone]);
      await insert([secondAlone]);
      expect(batched).toEqual([await shown(usualAlone), await shown(secondAlone)]);

      await base.admin.query('DELETE FROM runs WHERE id = ANY ($1)', [[secondAlone.runId]]);
      // Two with the same key or singleton are not both stored.
      if (field === 'idempotencyKey' || field === 'specHash' || field === 'singletonKey') return;
      const alike = [runOf({}, other), runOf({}, other)];
      expect(types(await insert(alike))).toEqual(['inserted', 'inserted']);
      expect(await Promise.all(alike.map(shown))).toEqual([batched[1], batched[1]]);
    },
  );
});

describe('an insert', () => {
  it('stores a run whole, with its first event', async () => {
    const run = runOf({
      params: { a: 1 },
      metadata: { m: 'x' },
      tags: ['one', 't"w\\o', ''],
      priority: 'realtime',
      lane: 'slow',
      idempotencyKey: 'k',
      correlationId: 'c "quoted"',
      parentRunId: newId(),
      maxRetries: 1,
      retryDelaySeconds: 2,
      timeoutSeconds: 3,
      triggerSource: 'cli:me',
      deadLetter: false,
    });
    const [outcome] = await insert([{ ...run, retryOfRunId: run.parentRunId }]);
    expect(outcome).toEqual({
      type: 'inserted',
      runId: run.runId,
      status: 'queued',
      createdAt: expect.any(Date) as Date,
    });
    expect(await rowOf(pool, run.runId)).toMatchObject({
      kind: 'task',
      name: 'echo',
      params: { a: 1 },
      metadata: { m: 'x' },
      tags: ['one', 't"w\\o', ''],
      priority: 0,
      lane: 'slow',
      idempotency_key: 'k',
      spec_hash: run.specHash,
      correlation_id: 'c "quoted"',
      parent_run_id: run.parentRunId,
      retry_of_run_id: run.parentRunId,
      trigger_source: 'cli:me',
      max_attempts: 2,
      retry_delay_ms: 2_000,
      timeout_ms: 3_000,
      dead_letter: false,
      attempt: 0,
      epoch: 0,
      status: 'queued',
    });
    expect(await eventsOf(pool, run.runId)).toEqual([
      { event_type: 'submitted', epoch: 0, terminal: false, source: 'cli:me', data: null },
    ]);
  });

  it('decides by when a run is to start, and by whether a hint follows, when the relay is to look', async () => {
    const at = (ms: number) => ({ runAfter: new Date(Date.now() + ms) });
    const starts = [undefined, at(-60_000), at(60_000), at(HINT_HORIZON_MS * 2)];
    const due = async (hinted: boolean) => {
      const runs = starts.map((start) => runOf(start ?? {}));
      const { client, end } = await openTransaction(pool);
      await insert(runs, { hinted }, client);
      const { rows } = await client.query<{ id: string; status: string; wait: number }>(
        `SELECT id, status, extract(epoch FROM dispatch_after - GREATEST(available_at, now()))::int AS wait FROM runs`,
      );
      await end('COMMIT');
      return runs
        .map(({ runId }) => rows.find(({ id }) => id === runId))
        .map((row) => [row?.status, row?.wait]);
    };
    expect(await due(true)).toEqual([
      ['queued', 15],
      ['queued', 15],
      ['pending', 15],
      // No hint is sent so far ahead.
      ['pending', 0],
    ]);
    await base.clear();
    expect(await due(false)).toEqual([
      ['queued', 0],
      ['queued', 0],
      ['pending', 0],
      ['pending', 0],
    ]);
  });

  it('of a value that cannot be stored writes nothing at all', async () => {
    const bad = runOf({}, { params: '{"a":"\\u0000"}' });
    await expect(insert([runOf(), bad])).rejects.toMatchObject({ code: '22P05' });
    await expect(insert([runOf({ correlationId: 'a\0b' })])).rejects.toMatchObject({ code: '22021' });
    await expect(insert([runOf({}, { maxAttempts: 0 })])).rejects.toMatchObject({ code: '23514' });
    expect(await stored()).toBe(0);
  });

  it('of an id that is there already is refused, unless the first send went unanswered: then it is the answer', async () => {
    const runs = [runOf(), runOf()];
    await insert(runs.slice(0, 1));
    await expect(insert(runs)).rejects.toMatchObject({ code: '23505' });
    const outcomes = await insert(runs, { ambiguous: true });
    expect(outcomes).toMatchObject([
      { type: 'existing', run: { runId: runs[0]?.runId } },
      { type: 'inserted' },
    ]);
    expect(await stored()).toBe(2);
    expect(await eventsOf(pool, runs[0]?.runId ?? '')).toHaveLength(1);
  });
});

describe('an idempotency key', () => {
  it('belongs to one run; whoever comes later gets that one, to compare what was asked', async () => {
    const first = keyed('k', { a: 1 });
    await insert([first]);
    const outcomes = await insert([keyed('k', { a: 1 }), runOf(), keyed('k', { a: 2 }), keyed('other')]);
    expect(types(outcomes)).toEqual(['existing', 'inserted', 'existing', 'inserted']);
    expect(outcomes[0]).toMatchObject({ run: { runId: first.runId, specHash: first.specHash } });
    expect(outcomes[2]).toMatchObject({ run: { runId: first.runId, specHash: first.specHash } });
    expect(keyed('k', { a: 1 }).specHash).toBe(first.specHash);
    expect(keyed('k', { a: 2 }).specHash).not.toBe(first.specHash);
  });

  it('twice in one batch is one run, and both get it', async () => {
    const [first, second] = [keyed('k'), keyed('k')];
    const outcomes = await insert([first, second]);
    expect(types(outcomes).sort()).toEqual(['existing', 'inserted']);
    expect(await stored()).toBe(1);
    const winner = outcomes.find(({ type }) => type === 'inserted');
    expect(outcomes.find(({ type }) => type === 'existing')).toMatchObject({
      run: { runId: winner?.type === 'inserted' ? winner.runId : null },
    });
  });

  it('asked for by two at once goes to the one that commits', async () => {
    const { client, end } = await openTransaction(pool);
    const first = keyed('k');
    await insert([first], {}, client);
    const second = insert([keyed('k')]);
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(await second).toMatchObject([{ type: 'existing', run: { runId: first.runId } }]);
  });

  it('of a run that was rolled back is free', async () => {
    const { client, end } = await openTransaction(pool);
    await insert([keyed('k')], {}, client);
    const second = insert([keyed('k')]);
    await somebodyWaitsForALock(base.admin);
    await end('ROLLBACK');
    expect(types(await second)).toEqual(['inserted']);
  });
});

describe('a child run', () => {
  it('is stored only while the attempt that submits it holds its run; others in the flush are', async () => {
    const [holds, lost, over] = [await claimed(pool), await claimed(pool), await claimed(pool)];
    await settle(pool, lost, { type: 'handed_back', reason: 'r' });
    await settle(pool, over);
    const child = (parent: { runId: string }, epoch: number): NewRun =>
      runOf({ parentRunId: parent.runId }, { parentEpoch: epoch });
    const runs = [
      child(holds, 1),
      child(lost, 1),
      child(holds, 0),
      child(over, 1),
      runOf(),
      child({ runId: newId() }, 1),
    ];
    expect(types(await insert(runs))).toEqual([
      'inserted',
      'fenced',
      'fenced',
      'fenced',
      'inserted',
      'fenced',
    ]);
    expect(await rowOf(pool, runs[0]?.runId ?? '')).toMatchObject({ parent_run_id: holds.runId });
  });

  it('waits for a settlement of its parent that is under way, and is refused by it', async () => {
    const parent = await claimed(pool);
    const { client, end } = await openTransaction(pool);
    await settle(client, parent);
    const submitting = insert([runOf({ parentRunId: parent.runId }, { parentEpoch: parent.epoch })]);
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(types(await submitting)).toEqual(['fenced']);
  });

  it('with a key that exists is that run, when its parent holds and when it does not', async () => {
    const parent = await claimed(pool);
    const [existing = ''] = await store(pool, [keyed('k')]);
    const child = (): NewRun =>
      runOf({ parentRunId: parent.runId, idempotencyKey: 'k' }, { parentEpoch: parent.epoch });
    expect(await insert([child()])).toMatchObject([{ type: 'existing', run: { runId: existing } }]);
    await settle(pool, parent);
    expect(await insert([child()])).toMatchObject([{ type: 'existing', run: { runId: existing } }]);
  });

  it('whose first send committed is there, though its parent is over by the time of the second', async () => {
    const parent = await claimed(pool);
    const child = runOf({ parentRunId: parent.runId }, { parentEpoch: parent.epoch });
    await insert([child]);
    await settle(pool, parent);
    expect(await insert([child], { ambiguous: true })).toMatchObject([
      { type: 'existing', run: { runId: child.runId } },
    ]);
  });
});

describe('text', () => {
  // What Postgres can store at all: no NUL, no lone surrogate.
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({
      unit: fc.constantFrom('"', '\\', ',', '{', '}', 'NULL', ' ', '\n', '\t', "'", '$1', '💥', '\u0001'),
    }),
  );

  it('reads back from an array exactly as it was put in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text), { maxLength: 20 }), async (values) => {
        const clean = values.map((value) => value?.replaceAll('\0', '') ?? null);
        const { rows } = await pool.query<{ back: (string | null)[] }>({
          text: 'SELECT $1::text[] AS back',
          values: [textArray(clean)],
        });
        expect(rows[0]?.back).toEqual(clean);
      }),
      { numRuns: 150 },
    );
  });

  it('is not needed for numbers, booleans and ids, which read back as well', async () => {
    const some = <T>(value: fc.Arbitrary<T>) => fc.array(fc.option(value), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        some(fc.maxSafeInteger()),
        some(fc.boolean()),
        some(fc.uuid()),
        async (numbers, booleans, uuids) => {
          const { rows } = await pool.query({
            text: 'SELECT $1::bigint[]::text[] AS numbers, $2::boolean[] AS booleans, $3::uuid[]::text[] AS uuids',
            values: [plainArray(numbers), plainArray(booleans), plainArray(uuids)],
          });
          expect(rows).toEqual([
            { numbers: numbers.map((number) => (number === null ? null : String(number))), booleans, uuids },
          ]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('reads back from a run: tags, keys, params of any JSON', async () => {
    const clean = text.map((value) => value.replaceAll('\0', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            tags: fc.array(clean, { maxLength: 4 }),
            correlationId: fc.option(clean.filter((value) => value !== '')),
            params: fc.dictionary(clean, fc.jsonValue({ stringUnit: 'grapheme' }), { maxKeys: 4 }),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (specs) => {
          const runs = specs.map(({ tags, correlationId, params }) =>
            runOf({ tags, params, ...(correlationId === null ? {} : { correlationId }) }),
          );
          const storable = runs.filter(({ params }) => !/\\u0000|\\ud[89a-f]/i.test(params));
          await insert(storable);
          for (const run of storable) {
            const row = await rowOf(pool, run.runId);
            expect(row.tags).toEqual(run.tags);
            expect(row.correlation_id).toBe(run.correlationId);
            expect(row.params).toEqual(JSON.parse(run.params));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
