/** Claims, polls and settlements that have committed and whose answers are lost, or late. */
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Queryable } from '@spine/database';
import { waitFor } from '@spine/testing';
import { inconsistentRuns, shift } from './engine-support.ts';
import { deferred, LosingQueue, openBed } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';
import { watchedPool } from './gates-support.ts';
import { intercepted, loseFirstAnswer, losesTheAnswer } from './interception.ts';
import type { Interception } from './interception.ts';

const LANE = 'default';

let bed: Bed;
async function open(options: Partial<BedOptions> = {}): Promise<Bed> {
  bed = await openBed({ queue: 'memory', maintained: false, ...options });
  return bed;
}
afterEach(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

const interceptedPool = (hows: Readonly<Record<string, Interception>>): Queryable =>
  intercepted(bed.engine.pool, hows);

/**
 * Of two claims of one run the first commits, and its answer comes when `late` is resolved; the second is asked after that
 * and loses its answer.
 */
function oneLateOneLost(): Interception & {
  readonly late: ReturnType<typeof deferred<void>>;
  asked: number;
} {
  const committed = deferred();
  const interception = Object.assign(
    async (send: () => Promise<unknown>): Promise<unknown> => {
      const turn = (interception.asked += 1);
      if (turn > 1) await committed.promise;
      const answer = await send();
      if (turn === 2) return losesTheAnswer();
      committed.resolve();
      if (turn === 1) await interception.late.promise;
      return answer;
    },
    { late: deferred(), asked: 0 },
  );
  return interception;
}

describe('an answer that was lost', () => {
  it('to a claim is found again: the run is executed, once', async () => {
    const { submit, probe, startWorker, reach } = await open();
    let calls = 0;
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => submit(probe(LANE, () => (calls += 1)))),
    );
    await startWorker(LANE, { pool: interceptedPool({ spine_claim: loseFirstAnswer() }) });
    for (const runId of runIds)
      expect(await reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    expect(calls).toBe(5);
  });

  it('to a poll costs nothing: what it has claimed is executed, once', async () => {
    const { submit, probe, startWorker, reach, admin } = await open({ queue: new LosingQueue() });
    let calls = 0;
    const runIds = await Promise.all(
      Array.from({ length: 5 }, () => submit(probe(LANE, () => (calls += 1)))),
    );
    await shift(admin, runIds, 'dispatch_after', '0');
    const [spine_overdue, spine_claim] = [loseFirstAnswer(), loseFirstAnswer()];
    await startWorker(LANE, { pool: interceptedPool({ spine_overdue, spine_claim }), pollMs: 50 });
    for (const runId of runIds)
      expect(await reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1, crashCount: 0 });
    expect([spine_overdue.lost, spine_claim.lost, calls]).toEqual([1, 1, 5]);
  });

  it('to both at once, as a busy worker asks, costs neither', async () => {
    const { submit, probe, startWorker, reach, count, engine } = await open();
    const [started, finish] = [deferred(), deferred()];
    const first = await submit(
      probe(LANE, async () => {
        started.resolve();
        await finish.promise;
      }),
    );
    const answer = deferred();
    const spine_exchange = loseFirstAnswer();
    let claims = 0;
    const spine_claim: Interception = async (send) => {
      claims += 1;
      if (claims > 1) await answer.promise;
      return send();
    };
    await startWorker(LANE, { pool: interceptedPool({ spine_claim, spine_exchange }) });
    await started.promise;
    let calls = 0;
    const next = () => submit(probe(LANE, () => (calls += 1)));
    // While as many claims are under way as may be, the first run ends and another is hinted: both wait for one statement.
    const second = await next();
    await waitFor(() => claims === 2);
    const third = await next();
    await waitFor(() => claims === 3);
    const fourth = await next();
    finish.resolve();
    await waitFor(async () => (await engine.queue.counts(LANE)).active === 4);
    await new Promise((resolve) => setImmediate(resolve));
    answer.resolve();
    for (const runId of [first, second, third, fourth]) {
      expect(await reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    }
    await waitFor(async () => (await count('settled')) === 4);
    expect([spine_exchange.lost, calls, await count('fenced')]).toEqual([1, 3, 0]);
  });

  it('to two claims of one run, whose hint came twice, lets one of them have it', async () => {
    const { submit, probe, startWorker, reach, engine } = await open();
    let calls = 0;
    const runId = await submit(probe(LANE, () => (calls += 1)));
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    /** Of the first `count`, two and two wait for each other's answer; what `then` does with them follows. */
    const together = (count: number, then: (answer: unknown) => unknown): Interception => {
      const pairs = Array.from({ length: count / 2 }, () => deferred());
      let answered = 0;
      return async (send) => {
        const answer = await send();
        answered += 1;
        if (answered > count) return answer;
        const pair = pairs[Math.ceil(answered / 2) - 1];
        if (answered % 2 === 0) pair?.resolve();
        await pair?.promise;
        return then(answer);
      };
    };
    const spine_claim = together(2, () => {
      return losesTheAnswer();
    });
    await startWorker(LANE, {
      pool: interceptedPool({ spine_claim, spine_held_by: together(4, (answer) => answer) }),
    });
    await reach(runId, 'completed');
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 2);
    expect(calls).toBe(1);
  });

  it('to one of two claims of a run has it executed once, though the other is answered after that', async () => {
    const { submit, probe, startWorker, reach, engine } = await open();
    let calls = 0;
    const runId = await submit(probe(LANE, () => (calls += 1)));
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    const spine_claim = oneLateOneLost();
    await startWorker(LANE, { pool: interceptedPool({ spine_claim }) });
    await reach(runId, 'completed');
    spine_claim.late.resolve();
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 2);
    expect([spine_claim.asked, calls]).toEqual([3, 1]);
  });

  it('to one claim of a run does not start again what the answer to another has started and ended', async () => {
    const { submit, probe, startWorker, reach, engine } = await open();
    let calls = 0;
    const runId = await submit(probe(LANE, () => (calls += 1)));
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    const spine_claim = oneLateOneLost();
    let looks = 0;
    const spine_held_by: Interception = async (send) => {
      const answer = await send();
      if ((looks += 1) === 1) return answer;
      spine_claim.late.resolve();
      await reach(runId, 'completed');
      await waitFor(() => worker.running === 0);
      return answer;
    };
    const worker = await startWorker(LANE, { pool: interceptedPool({ spine_claim, spine_held_by }) });
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 2);
    expect([looks, calls]).toEqual([2, 1]);
  });

  it('to a claim with gates, while that to one without is late, gives the run away once', async () => {
    const limited = { description: 'Makes every run one that may have gates.', params: z.object({}) };
    const { submit, probe, startWorker, reach, engine } = await open({
      register: (registry) =>
        registry.registerTask('limited', { ...limited, concurrency: { limit: 1 } }, () => null),
    });
    let calls = 0;
    const runId = await submit(probe(LANE, () => (calls += 1)));
    await engine.queue.publish([{ lane: LANE, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    const [claimed, late] = [deferred(), deferred()];
    let asked = 0;
    const spine_claim: Interception = async (send) => {
      const turn = (asked += 1);
      if (turn > 1) await claimed.promise;
      const answer = await send();
      claimed.resolve();
      if (turn === 1) await late.promise;
      return answer;
    };
    let lost = 0;
    const gatePool = watchedPool(engine.gatePool, (text) => {
      if (!text.includes('r.gates,') || lost > 0) return;
      lost += 1;
      return 'lose the answer';
    });
    await startWorker(LANE, { pool: interceptedPool({ spine_claim }), gatePool });
    await reach(runId, 'completed');
    late.resolve();
    await waitFor(async () => (await engine.queue.counts(LANE)).completed === 2);
    expect([lost, calls]).toEqual([1, 1]);
  });

  it('to a settlement is no refusal', async () => {
    const { submit, probe, startWorker, events, reach, count } = await open();
    await startWorker(LANE, { pool: interceptedPool({ spine_settle: loseFirstAnswer() }) });
    const runId = await submit(probe(LANE, () => 'done'));
    await reach(runId, 'completed');
    await waitFor(async () => (await count('settled', { outcome: 'completed' })) === 1);
    expect(await count('fenced')).toBe(0);
    expect(await events(runId)).toEqual(['submitted', 'started', 'completed']);
  });
});
