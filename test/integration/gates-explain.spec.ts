/**
 * Why a run waits. Every reason is brought about for real, found alone, and taken away; then the run starts. An explanation
 * that named something else would leave it where it is.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  cancelRun,
  claimRuns,
  expireRuns,
  openBreaker,
  orderBreaker,
  pauseLane,
  pauseRun,
  probeBreaker,
  registerWorker,
  resumeLane,
  resumeRun,
} from '@spine/database';
import type { Pool } from '@spine/database';
import { explainRun, HandlerRegistry, loadExplainFacts, registerBuiltinHandlers } from '@spine/execution';
import type { WaitCode, WaitReason, WorkSpec } from '@spine/execution';
import {
  claim,
  ERROR,
  HANDLERS,
  openEngineDatabase,
  runOf,
  settle,
  shift,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { claimWithGates, forgetTurns } from './gates-support.ts';

let base: EngineDatabase;
let pool: Pool;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ pool, admin } = base);
});
beforeEach(async () => {
  await base.clear();
  await worker();
});
afterEach(() => admin.query('TRUNCATE lanes'));
afterAll(() => base.close());

const registry = registerBuiltinHandlers(new HandlerRegistry());

async function worker(
  lanes: readonly string[] = ['default'],
  handlers: readonly string[] = HANDLERS,
): Promise<string> {
  const workerId = newId();
  await registerWorker(pool, { workerId, hostname: 'h', pid: 1, version: '0', lanes, handlers, slots: 2 });
  return workerId;
}

async function explain(runId: string): Promise<{ waiting: boolean; reasons: readonly WaitReason[] }> {
  const facts = await loadExplainFacts(base.db, registry, runId);
  if (facts === null) throw new Error(`no run ${runId}`);
  return explainRun(facts);
}

async function codes(runId: string): Promise<WaitCode[]> {
  return (await explain(runId)).reasons.map(({ code }) => code);
}

/** The one reason, which must be this. */
async function only(runId: string, code: WaitCode): Promise<WaitReason> {
  const { reasons } = await explain(runId);
  expect(reasons.map((reason) => reason.code)).toEqual([code]);
  const [reason] = reasons;
  if (reason === undefined) throw new Error('no reason');
  return reason;
}

async function starts(runId: string): Promise<boolean> {
  return (await claimWithGates(pool, [runId])).claimed.length === 1;
}

/** A run that something holds up, how that is taken away, and what the explanation must say of it. */
interface Case {
  readonly runId: string;
  readonly mend: () => Promise<unknown>;
  readonly says?: object;
}

const limited = (limit: number, key = 'k') => ({ concurrency: [{ key, limit }] });

async function stored(spec: Partial<WorkSpec> = {}): Promise<string> {
  const [runId = ''] = await storeMany(pool, 1, spec);
  return runId;
}

async function runningOne(
  spec: Partial<WorkSpec>,
): Promise<{ readonly runId: string; readonly epoch: number }> {
  const { claimed } = await claimWithGates(pool, [await stored(spec)]);
  const [run] = claimed;
  if (run === undefined) throw new Error('not claimed');
  return run;
}

const CASES: Readonly<Partial<Record<WaitCode, () => Promise<Case>>>> = {
  not_due: async () => {
    const runId = await stored({ runAfter: new Date(Date.now() + 3_600_000) });
    return {
      runId,
      mend: () => shift(admin, [runId], 'available_at', '-1 second'),
      says: { until: expect.any(Date) as Date },
    };
  },
  retry_wait: async () => {
    const run = await runningOne({});
    await settle(pool, run, { type: 'retry', error: ERROR, delayMs: 3_600_000 });
    return {
      runId: run.runId,
      mend: () => shift(admin, [run.runId], 'available_at', '-1 second'),
      says: { message: expect.stringContaining('it broke') as string, until: expect.any(Date) as Date },
    };
  },
  deferred: async () => {
    const run = await runningOne({});
    await settle(pool, run, { type: 'deferred', reason: 'the file is not there yet', delayMs: 3_600_000 });
    return {
      runId: run.runId,
      mend: () => shift(admin, [run.runId], 'available_at', '-1 second'),
      says: {
        message: expect.stringContaining('the file is not there yet') as string,
        until: expect.any(Date) as Date,
      },
    };
  },
  paused: async () => {
    const runId = await stored();
    await pauseRun(pool, runId, 'wait for the month end', 'alice');
    return {
      runId,
      mend: () => resumeRun(pool, runId, 'alice'),
      says: {
        by: 'alice',
        message: expect.stringContaining('wait for the month end') as string,
        since: expect.any(Date) as Date,
      },
    };
  },
  lane_paused: async () => {
    const runId = await stored();
    await pauseLane(pool, 'default', 'bob', 'deploy');
    return {
      runId,
      mend: () => resumeLane(pool, 'default'),
      says: { by: 'bob', key: 'default', message: expect.stringContaining('deploy') as string },
    };
  },
  concurrency_limit: async () => {
    const holder = await runningOne(limited(1));
    const ahead = await stored(limited(1));
    const runId = await stored(limited(1));
    await claimWithGates(pool, [ahead, runId]);
    return {
      runId,
      mend: async () => {
        await cancelRun(base.db, ahead, null, 'test');
        await settle(pool, holder);
      },
      says: { key: 'k', limit: 1, runIds: [holder.runId], position: 2 },
    };
  },
  singleton_active: async () => {
    const active = await runningOne({ singletonKey: 's' });
    const runId = await stored({ singletonKey: 's' });
    return { runId, mend: () => settle(pool, active), says: { key: 's', runIds: [active.runId] } };
  },
  rate_limit: async () => {
    const rated = { rateLimits: [{ key: 'r', limit: 1, perSeconds: 3_600 }] };
    await runningOne(rated);
    const runId = await stored(rated);
    return {
      runId,
      mend: () =>
        admin.query(
          `UPDATE gate_states SET rate = jsonb_set(rate, '{at}', to_jsonb((rate->>'at')::bigint - 3600000)) WHERE key = 'r'`,
        ),
      says: { key: 'r', limit: 1, position: 1, until: expect.any(Date) as Date },
    };
  },
  breaker_open: async () => {
    await openBreaker(pool, 'edgar', { forMs: 3_600_000, failures: 5, by: 'worker 7', note: null });
    const runId = await stored({ breakers: ['edgar'] });
    return {
      runId,
      mend: () => orderBreaker(pool, 'edgar', { type: 'reset' }, 'test', null),
      says: { key: 'edgar', by: 'worker 7', until: expect.any(Date) as Date },
    };
  },
  breaker_probing: async () => {
    await openBreaker(pool, 'edgar', { forMs: 0, failures: 5, by: 'worker 7', note: null });
    await probeBreaker(pool, 'edgar', 'the-one-that-tries');
    const runId = await stored({ breakers: ['edgar'] });
    return {
      runId,
      mend: () => orderBreaker(pool, 'edgar', { type: 'reset' }, 'test', null),
      says: { key: 'edgar', runIds: ['the-one-that-tries'] },
    };
  },
};

describe('a run that waits', () => {
  it.each(Object.entries(CASES))(
    'because of %s is told so, and starts when that is gone',
    async (code, make) => {
      const { runId, mend, says = {} } = await make();
      expect(await starts(runId)).toBe(false);
      const { waiting, reasons } = await explain(runId);
      expect(waiting).toBe(true);
      expect(reasons).toMatchObject([{ code, ...says }]);
      await mend();
      await forgetTurns(admin);
      expect(await codes(runId)).toEqual(['waiting_for_hint']);
      expect(await starts(runId)).toBe(true);
    },
  );

  it('for several reasons is told all of them, and starts when the last is gone', async () => {
    const holder = await runningOne(limited(1));
    const runId = await stored({
      ...limited(1),
      lane: 'slow',
      rateLimits: [{ key: 'r', limit: 1, perSeconds: 3_600 }],
    });
    await pauseLane(pool, 'slow', 'bob', null);
    await runningOne({ rateLimits: [{ key: 'r', limit: 1, perSeconds: 3_600 }] });
    expect(await codes(runId)).toEqual([
      'lane_paused',
      'no_worker_for_lane',
      'concurrency_limit',
      'rate_limit',
    ]);
    await resumeLane(pool, 'slow');
    expect(await codes(runId)).toEqual(['no_worker_for_lane', 'concurrency_limit', 'rate_limit']);
    await worker(['slow']);
    await settle(pool, holder);
    expect(await codes(runId)).toEqual(['rate_limit']);
    expect(await starts(runId)).toBe(false);
    await admin.query(`DELETE FROM gate_states WHERE key = 'r'`);
    expect(await starts(runId)).toBe(true);
  });

  it('for nothing but its hint is told when it is hinted again', async () => {
    const runId = await stored();
    expect(await only(runId, 'waiting_for_hint')).toMatchObject({ until: expect.any(Date) as Date });
    expect((await claim(pool, [runId])).length).toBe(1);
  });

  it('while its place is kept for somebody before it is told of the line', async () => {
    const holder = await runningOne(limited(1));
    const [first = '', second = ''] = await storeMany(pool, 2, limited(1));
    await claimWithGates(pool, [first, second]);
    await settle(pool, holder);
    await admin.query('UPDATE gate_waiters SET woken_at = now() WHERE run_id = $1', [first]);
    expect(await only(second, 'concurrency_limit')).toMatchObject({ position: 2, runIds: [] });
    expect(await starts(second)).toBe(false);
    expect(await codes(first)).toEqual(['waiting_for_hint']);
    expect(await starts(first)).toBe(true);
  });

  it('with gates of a later release is told that a worker of that release is needed', async () => {
    const [runId = ''] = await store(pool, [runOf({}, { gates: '[{"type":"later","key":"k"}]' })]);
    await only(runId, 'gates_unreadable');
    expect(await starts(runId)).toBe(false);
  });

  it('whose time is over is told that it will be ended, and is', async () => {
    const runId = await stored({ expiresAt: new Date(Date.now() - 1_000) });
    await only(runId, 'expired');
    expect(await starts(runId)).toBe(false);
    await expireRuns(pool);
    await only(runId, 'terminal');
    const late = await stored({ deadlineSeconds: 0.001 });
    await admin.query(`UPDATE runs SET run_deadline_at = now() - interval '1 second' WHERE id = $1`, [late]);
    await only(late, 'expired');
  });

  it('is explained by the gates its handler has now, stored with it or not', async () => {
    const gated = new HandlerRegistry().registerTask(
      'echo',
      {
        description: 'd',
        params: registry.get('task', 'echo')?.paramsSchema ?? expect.fail('no echo'),
        concurrency: { limit: 1 },
      },
      () => null,
    );
    const held = {
      gatesOf: () => [{ type: 'concurrency', key: 'handler:task:echo', limit: 1, from: 'handler' } as const],
    };
    const [one = '', two = ''] = await storeMany(pool, 2);
    expect((await claimWithGates(pool, [one], held)).claimed).toHaveLength(1);
    const facts = await loadExplainFacts(base.db, gated, two);
    expect(facts === null ? null : explainRun(facts).reasons).toMatchObject([
      { code: 'concurrency_limit', key: 'handler:task:echo', runIds: [one] },
    ]);
  });
});

describe('a run that does not wait', () => {
  it('is running: held by a worker until its lease ends', async () => {
    const runId = await stored();
    const workerId = await worker();
    await claimRuns(pool, [runId], { workerId, leaseMs: 30_000, handlers: HANDLERS });
    const reason = await only(runId, 'running');
    expect(reason).toMatchObject({ workerId });
    expect(reason.until?.getTime()).toBeGreaterThan(Date.now());
    expect((await explain(runId)).waiting).toBe(false);
    await shift(admin, [runId], 'lease_expires_at', '-1 second');
    expect(await only(runId, 'lease_lapsed')).toMatchObject({ workerId });
  });

  it('is over', async () => {
    const run = await runningOne({});
    await settle(pool, run);
    expect(await only(run.runId, 'terminal')).toMatchObject({ since: expect.any(Date) as Date });
    expect(await loadExplainFacts(base.db, registry, newId())).toBeNull();
  });
});
