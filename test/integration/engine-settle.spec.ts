import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  ANY_END,
  appendAttemptEvents,
  attemptIsCurrent,
  cancelRun,
  COMPLETIONS,
  reapRuns,
  settleRuns,
} from '@spine/database';
import type { ClaimedRun, Pool, SettleForm, SettleItem, Settlement } from '@spine/database';
import {
  claim,
  claimed,
  ERROR,
  eventsOf,
  eventTypes,
  inconsistentRuns,
  openEngineDatabase,
  openTransaction,
  rowOf,
  settle,
  shift,
  somebodyWaitsForALock,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let pool: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  pool = base.pool;
});
beforeEach(() => base.clear());
afterAll(() => base.close());

const COMPLETED: Settlement = { type: 'completed', result: '{"n":1}' };
const item = ({ runId, epoch }: ClaimedRun, settlement: Settlement = COMPLETED): SettleItem => ({
  runId,
  epoch,
  settlement,
});
const info = { source: 'worker:test' };

/** Takes a run from its worker as the reaper does, and gives it to another: two epochs on. */
async function takeOver(run: ClaimedRun): Promise<ClaimedRun> {
  await shift(base.admin, [run.runId], 'lease_expires_at', '-1 minute');
  await reapRuns(pool);
  const [next] = await claim(pool, [run.runId]);
  if (next === undefined) throw new Error('the run was not taken over');
  return next;
}

describe('a settlement', () => {
  afterEach(async () => {
    expect(await inconsistentRuns(base.pool)).toEqual([]);
  });

  it.each<[string, Settlement, object]>([
    ['completed', COMPLETED, { result: { n: 1 }, error: null }],
    ['completed', { type: 'completed', result: null }, { result: null, error: null }],
    ['timed_out', { type: 'timed_out', error: ERROR }, { result: null, error: ERROR }],
    [
      'failed',
      { type: 'failed', error: { ...ERROR, retry_after: 3 } },
      { result: null, error: { ...ERROR, retry_after: 3 } },
    ],
    ['dead_lettered', { type: 'dead_lettered', error: ERROR }, { result: null, error: ERROR }],
  ])('ends a run as %s, with one terminal event', async (status, settlement, rest) => {
    const run = await claimed(pool, { deadLetter: true });
    expect(await settle(pool, run, settlement)).toBe('settled');
    const row = await rowOf(pool, run.runId);
    expect(row).toMatchObject({ status, epoch: 1, finished_epoch: 1, attempt: 1, ...rest });
    expect(row).toMatchObject({
      lease_owner: null,
      lease_expires_at: null,
      deadline_at: null,
      dispatch_after: null,
    });
    expect(row.completed_at).toBeInstanceOf(Date);
    expect((await eventsOf(pool, run.runId)).at(-1)).toMatchObject({
      event_type: status,
      terminal: true,
      epoch: 1,
      source: 'test',
      data: 'error' in settlement ? { error: settlement.error } : null,
    });
  });

  it('writes the dead letter with what is needed to understand and to repeat the run', async () => {
    const run = await claimed(pool, { params: { a: [1] }, lane: 'slow', correlationId: 'c' });
    await settle(pool, run, { type: 'dead_lettered', error: ERROR });
    const { rows } = await pool.query('SELECT * FROM dead_letters');
    expect(rows).toMatchObject([
      {
        run_id: run.runId,
        kind: 'task',
        name: 'echo',
        lane: 'slow',
        params: { a: [1] },
        error: ERROR,
        error_category: 'UNKNOWN',
        attempts: 1,
        crash_count: 0,
        correlation_id: 'c',
        resolved_at: null,
      },
    ]);
  });

  it('queues a retry: due for a hint when it is available, its attempt spent, its error kept', async () => {
    const run = await claimed(pool);
    const { client, end } = await openTransaction(pool);
    expect(await settle(client, run, { type: 'retry', error: ERROR, delayMs: 1_500 })).toBe('settled');
    const { rows } = await client.query(
      `SELECT status, attempt, epoch, finished_epoch, error, completed_at,
         available_at = now() + interval '1.5 s' AS available, dispatch_after = available_at AS due FROM runs`,
    );
    await end('COMMIT');
    expect(rows).toEqual([
      {
        status: 'queued',
        attempt: 1,
        epoch: 1,
        finished_epoch: 1,
        error: ERROR,
        completed_at: null,
        available: true,
        due: true,
      },
    ]);
    expect((await eventsOf(pool, run.runId)).at(-1)).toMatchObject({
      event_type: 'retry_scheduled',
      terminal: false,
      data: { error: ERROR, delay_ms: 1_500 },
    });
  });

  it('hands back: no attempt charged, the epoch raised, available and due at once', async () => {
    const run = await claimed(pool);
    expect(await settle(pool, run, { type: 'handed_back', reason: 'the worker is stopping' })).toBe(
      'settled',
    );
    expect(await rowOf(pool, run.runId)).toMatchObject({
      status: 'queued',
      attempt: 0,
      epoch: 2,
      finished_epoch: 1,
      error: null,
    });
    expect((await eventsOf(pool, run.runId)).at(-1)).toMatchObject({
      event_type: 'handed_back',
      terminal: false,
      data: { reason: 'the worker is stopping' },
    });
    expect(await claim(pool, [run.runId])).toMatchObject([{ epoch: 3, attempt: 1 }]);
  });

  it('of many runs answers for each, in order', async () => {
    const runs = [];
    for (let index = 0; index < 6; index += 1) runs.push(await claimed(pool));
    const [a, b, c, d, e, f] = runs as [
      ClaimedRun,
      ClaimedRun,
      ClaimedRun,
      ClaimedRun,
      ClaimedRun,
      ClaimedRun,
    ];
    await takeOver(b);
    await cancelRun(base.db, d.runId, null, 'test');
    const unknown = { runId: newId(), epoch: 1, settlement: COMPLETED };
    const outcomes = await settleRuns(
      pool,
      [
        item(a),
        item(b),
        item(c, { type: 'retry', error: ERROR, delayMs: 0 }),
        item(d),
        unknown,
        item(e, { type: 'dead_lettered', error: ERROR }),
        item(f, { type: 'handed_back', reason: 'r' }),
      ],
      info,
    );
    expect(outcomes).toEqual(['settled', 'fenced', 'settled', 'fenced', 'fenced', 'settled', 'settled']);
    const statuses = await Promise.all(runs.map(async ({ runId }) => (await rowOf(pool, runId)).status));
    expect(statuses).toEqual(['completed', 'running', 'queued', 'cancelled', 'dead_lettered', 'queued']);
  });

  it('of an attempt that lost its run changes nothing', async () => {
    const stale = await claimed(pool);
    const current = await takeOver(stale);
    const before = await rowOf(pool, stale.runId);
    expect(await settle(pool, stale)).toBe('fenced');
    expect(await rowOf(pool, stale.runId)).toEqual(before);
    expect(await settle(pool, current, { type: 'failed', error: ERROR })).toBe('settled');
    expect(await settle(pool, stale)).toBe('fenced');
    expect((await rowOf(pool, stale.runId)).status).toBe('failed');
  });

  it.each<Settlement>([COMPLETED, { type: 'retry', error: ERROR, delayMs: 0 }])(
    'of an attempt that lost its run is refused beside that of the attempt that has it: $type',
    async (settlement) => {
      const stale = await claimed(pool);
      const current = await takeOver(stale);
      const both = [item(stale, settlement), item(current)];
      expect(await settleRuns(pool, both, info)).toEqual(['fenced', 'settled']);
      expect(await rowOf(pool, stale.runId)).toMatchObject({ status: 'completed', finished_epoch: 3 });
      expect(await settleRuns(pool, both.toReversed(), info)).toEqual(['settled', 'fenced']);
    },
  );

  it('of a run that was queued again in between changes nothing', async () => {
    const stale = await claimed(pool);
    await shift(base.admin, [stale.runId], 'lease_expires_at', '-1 minute');
    await reapRuns(pool);
    expect(await settle(pool, stale)).toBe('fenced');
    expect(await rowOf(pool, stale.runId)).toMatchObject({ status: 'queued', epoch: 2 });
  });

  it.each<Settlement>([
    COMPLETED,
    { type: 'retry', error: ERROR, delayMs: 0 },
    { type: 'handed_back', reason: 'r' },
    { type: 'dead_lettered', error: ERROR },
  ])('sent again after a lost answer knows its own first one: $type', async (settlement) => {
    const run = await claimed(pool);
    expect(await settle(pool, run, settlement)).toBe('settled');
    const before = await rowOf(pool, run.runId);
    expect(await settle(pool, run, settlement)).toBe('settled');
    expect(await rowOf(pool, run.runId)).toEqual(before);
    expect(await eventTypes(pool, run.runId)).toHaveLength(3);
  });

  it.each<Settlement>([
    { type: 'retry', error: ERROR, delayMs: 0 },
    { type: 'handed_back', reason: 'r' },
    { type: 'deferred', reason: 'r', delayMs: 0 },
  ])('sent again when others have settled the run since, still knows it: $type', async (settlement) => {
    const first = await claimed(pool);
    const send = () => settleRuns(pool, [item(first, settlement)], { source: 'worker:first' });
    expect(await send()).toEqual(['settled']);
    for (const next of [settlement, COMPLETED]) {
      const [run = first] = await claim(pool, [first.runId]);
      expect(await send()).toEqual(['settled']);
      expect(await settleRuns(pool, [item(run, next)], { source: 'worker:next' })).toEqual(['settled']);
      const before = await rowOf(pool, first.runId);
      expect(await send()).toEqual(['settled']);
      expect(await rowOf(pool, first.runId)).toEqual(before);
    }
    // Whoever has never settled it is refused.
    const stale = { ...first, epoch: first.epoch + 100 };
    expect(await settleRuns(pool, [item(stale, settlement)], { source: 'worker:first' })).toEqual(['fenced']);
  });

  it('of an attempt that others took over is refused, though they have settled the run since', async () => {
    const stale = await claimed(pool);
    const current = await takeOver(stale);
    expect(await settle(pool, current, { type: 'retry', error: ERROR, delayMs: 0 })).toBe('settled');
    expect(await settle(pool, stale, { type: 'retry', error: ERROR, delayMs: 0 })).toBe('fenced');
  });

  it('and a cancel: whoever commits first wins', async () => {
    const runs = [];
    for (let index = 0; index < 40; index += 1) runs.push(await claimed(pool));
    const [settled, cancelled] = await Promise.all([
      Promise.all(runs.map((run) => settle(pool, run))),
      Promise.all(runs.map(({ runId }) => cancelRun(base.db, runId, 'r', 'test'))),
    ]);
    runs.forEach((_, index) => {
      expect([settled[index], cancelled[index]?.type]).toSatisfy(
        ([outcome, type]) => (outcome === 'settled') === (type === 'terminal'),
      );
    });
  });

  it('and the reaper: whoever commits first wins', async () => {
    const runs = [];
    for (let index = 0; index < 60; index += 1) runs.push(await claimed(pool));
    await shift(
      base.admin,
      runs.map(({ runId }) => runId),
      'lease_expires_at',
      '-1 minute',
    );
    const settling = Promise.all(runs.map((run) => settle(pool, run)));
    const reaped = [
      ...(await reapRuns(pool, 20)),
      ...(await reapRuns(pool, 20)),
      ...(await reapRuns(pool, 20)),
    ];
    const outcomes = await settling;
    const taken = new Set(reaped.map(({ runId }) => runId));
    runs.forEach((run, index) =>
      expect([run.runId, outcomes[index]]).toEqual([run.runId, taken.has(run.runId) ? 'fenced' : 'settled']),
    );
    expect(await pool.query(`SELECT count(*)::int AS n FROM runs WHERE status = 'completed'`)).toMatchObject({
      rows: [{ n: runs.length - taken.size }],
    });
  });
});

describe('what an attempt writes beside its settlement', () => {
  const event = (run: { runId: string; epoch: number }, n: number) => ({
    runId: run.runId,
    epoch: run.epoch,
    eventType: 'progress',
    data: `{"n":${n}}`,
  });

  it('is appended while it holds the run, in order, and refused when it does not, each event for itself', async () => {
    const [mine, lost, over] = [await claimed(pool), await claimed(pool), await claimed(pool)];
    const current = await takeOver(lost);
    await settle(pool, over);
    const events = [
      event(mine, 1),
      event(lost, 2),
      event(mine, 3),
      event(over, 4),
      event(current, 5),
      event({ runId: newId(), epoch: 1 }, 6),
    ];
    expect(await appendAttemptEvents(pool, events, 'worker:test')).toEqual([
      'appended',
      'fenced',
      'appended',
      'fenced',
      'appended',
      'fenced',
    ]);
    const progress = async ({ runId }: ClaimedRun) =>
      (await eventsOf(pool, runId))
        .filter(({ event_type }) => event_type === 'progress')
        .map(({ data, epoch }) => [data, epoch]);
    expect(await progress(mine)).toEqual([
      [{ n: 1 }, 1],
      [{ n: 3 }, 1],
    ]);
    expect(await progress(lost)).toEqual([[{ n: 5 }, current.epoch]]);
    expect(await progress(over)).toEqual([]);
  });

  it('waits for a settlement of its run that is under way, and is refused by it', async () => {
    const run = await claimed(pool);
    const { client, end } = await openTransaction(pool);
    await settle(client, run);
    const appending = appendAttemptEvents(pool, [event(run, 1)], 'worker:test');
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(await appending).toEqual(['fenced']);
    expect(await eventTypes(pool, run.runId)).toEqual(['submitted', 'started', 'completed']);
  });

  it('may ask inside a transaction whether it still holds the run, and holds it until the commit', async () => {
    const run = await claimed(pool);
    expect(await attemptIsCurrent(pool, run.runId, run.epoch)).toBe(true);
    expect(await attemptIsCurrent(pool, run.runId, run.epoch + 1)).toBe(false);
    expect(await attemptIsCurrent(pool, newId(), 1)).toBe(false);
    const { client, end } = await openTransaction(pool);
    await attemptIsCurrent(client, run.runId, run.epoch);
    const settling = settle(pool, run);
    await somebodyWaitsForALock(base.admin);
    await end('COMMIT');
    expect(await settling).toBe('settled');
    expect(await attemptIsCurrent(pool, run.runId, run.epoch)).toBe(false);
  });

  it('keeps the reaper off its run until the commit', async () => {
    const run = await claimed(pool);
    await shift(base.admin, [run.runId], 'lease_expires_at', '-1 minute');
    const { client, end } = await openTransaction(pool);
    expect(await attemptIsCurrent(client, run.runId, run.epoch)).toBe(true);
    expect(await reapRuns(pool)).toEqual([]);
    await end('COMMIT');
    expect(await reapRuns(pool)).toMatchObject([{ runId: run.runId }]);
  });
});

describe.each([
  ['of any end', ANY_END],
  ['of completions', COMPLETIONS],
])('the guard of a settlement %s, weakened', (_, form: SettleForm) => {
  const GUARD = `r.epoch = i.epoch AND r.status || '' = 'running'`;
  const STALE: Settlement = { type: 'completed', result: '"stale"' };
  const weakened = async (guard: string, run: ClaimedRun): Promise<void> => {
    const text = form.sql.replace(GUARD, guard);
    expect(text).not.toBe(form.sql);
    await base.admin.query(text, form.values([item(run, STALE)], info));
  };

  it('to the status alone accepts a stale attempt’s outcome, as the tests above would see', async () => {
    const stale = await claimed(pool);
    await takeOver(stale);
    await weakened(`r.status || '' = 'running'`, stale);
    expect(await rowOf(pool, stale.runId)).toMatchObject({ status: 'completed', result: 'stale' });
  });

  it('to the id alone finishes a run that nobody runs', async () => {
    const stale = await claimed(pool);
    await shift(base.admin, [stale.runId], 'lease_expires_at', '-1 minute');
    await reapRuns(pool);
    await weakened('true', stale);
    expect(await rowOf(pool, stale.runId)).toMatchObject({ status: 'completed', result: 'stale' });
  });

  it('to the id alone is stopped by the schema where the run is over', async () => {
    const run = await claimed(pool);
    await settle(pool, run, { type: 'failed', error: ERROR });
    await expect(weakened('true', run)).rejects.toMatchObject({ constraint: 'run_events_one_terminal' });
  });
});

it('a run that is over stays so, whatever a settlement without its guard asks for', async () => {
  const run = await claimed(pool);
  await settle(pool, run, { type: 'failed', error: ERROR });
  const text = ANY_END.sql.replace(`r.epoch = i.epoch AND r.status || '' = 'running'`, 'true');
  const retry: Settlement = { type: 'retry', error: ERROR, delayMs: 0 };
  await expect(base.admin.query(text, ANY_END.values([item(run, retry)], info))).rejects.toThrow(
    `run ${run.runId} is failed and may not change`,
  );
});

it('a completion is the same alone, among others of its kind and beside other ends', async () => {
  const runs = await Promise.all([1, 2, 3, 4].map(() => claimed(pool)));
  const [alone, one, other, beside] = runs;
  if (alone === undefined || one === undefined || other === undefined || beside === undefined)
    throw new Error();
  await settleRuns(pool, [item(alone)], info);
  await settleRuns(pool, [item(one), item(other)], info);
  const failing = await claimed(pool);
  await settleRuns(pool, [item(beside), item(failing, { type: 'failed', error: ERROR })], info);
  const own = ['id', 'created_at', 'started_at', 'completed_at', 'available_at'];
  const shown = await Promise.all(
    runs.map(async ({ runId }) =>
      Object.entries(await rowOf(pool, runId)).filter(([column]) => !own.includes(column)),
    ),
  );
  const ends = await Promise.all(
    runs.map(async ({ runId }) => {
      const last = (await eventsOf(pool, runId)).at(-1);
      return last && [last.event_type, last.terminal, last.data, last.source, last.epoch];
    }),
  );
  expect(new Set(shown.map((row) => JSON.stringify(row))).size).toBe(1);
  expect(ends).toEqual(runs.map(() => ['completed', true, null, info.source, 1]));
});
