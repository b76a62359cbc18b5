/**
 * Publications among cancels, pauses, lost leases and second attempts, in random order: a run is completed with everything
 * that its publication holds, or has nothing of it.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reapRuns } from '@spine/database';
import { taskSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import {
  countsOf,
  createOwnTable,
  EVERYTHING,
  FAILPOINTS,
  NOTHING,
  registerPublishing,
} from './publish-support.ts';
import type { Failpoint } from './publish-support.ts';

const DISTURBANCES = ['cancel', 'pause', 'lose_lease', 'take_over'] as const;
type Disturbance = (typeof DISTURBANCES)[number];

interface Disturbed {
  readonly at: Failpoint;
  readonly by: Disturbance;
}

/** From here on the run's row is locked, and then the run is completed: whatever comes is too late. */
const DECIDED: ReadonlySet<Failpoint> = new Set(['settled', 'committed']);

let bed: Bed;
let lane: string;
/** Handlers that have begun and not ended, zombies among them. */
let underWay = 0;
let begun = 0;
/** What is to happen to the run under way. */
let reached: (runId: string, failpoint: Failpoint) => Promise<void> = () => Promise.resolve();

beforeAll(async () => {
  bed = await openBed({
    queue: 'memory',
    // What is reaped, and when, is part of the schedule.
    maintained: false,
    register: (registry) =>
      void registerPublishing(registry, {
        lane: 'nobody',
        onStart: () => {
          underWay += 1;
          begun += 1;
        },
        onEnd: () => void (underWay -= 1),
        reached: (runId, failpoint) => reached(runId, failpoint),
      }),
  });
  await createOwnTable(bed.admin);
  lane = bed.newLane();
  await bed.startWorker(lane, {
    // A lost lease is noticed by the fence alone; of cancels and pauses the worker is told.
    heartbeatMs: 3_600_000,
    publishing: { onStep: (step, runId) => reached(runId, step) },
  });
});
afterAll(() => bed.close());

function hint(runId: string): void {
  const run = { runId, kind: 'task', name: 'publish.all', lane, priority: 'normal' } as const;
  bed.engine.publisher.announce([{ ...run, delayMs: 0, gated: false }]);
}

/** Takes the run from its attempt; false when it could not be. */
async function disturb(runId: string, by: Disturbance): Promise<boolean> {
  const { dispatcher, pool } = bed.engine;
  switch (by) {
    case 'cancel':
      return (await dispatcher.cancel(runId)).type === 'cancelled';
    case 'pause':
      return (await dispatcher.pause(runId)).type === 'paused';
    case 'lose_lease':
    case 'take_over': {
      await bed.admin.query(
        `UPDATE runs SET lease_expires_at = now() - interval '10 seconds' WHERE id = $1 AND status = 'running'`,
        [runId],
      );
      const reaped = (await reapRuns(pool)).length === 1;
      if (reaped && by === 'take_over') hint(runId);
      return reaped;
    }
  }
}

interface Executed {
  readonly runId: string;
  readonly partition: string;
  /** What took the run from its first attempt; null for nothing. */
  readonly takenBy: Disturbance | null;
}

let partitions = 0;

/** Executes one run, disturbed so, until no handler is under way. */
async function execute(disturbances: readonly Disturbed[]): Promise<Executed> {
  const partition = `i${(partitions += 1)}`;
  let takenBy: Disturbance | null = null;
  const tooLate: Promise<void>[] = [];
  const take = async (runId: string, by: Disturbance): Promise<void> => {
    if (takenBy === null && (await disturb(runId, by))) takenBy = by;
  };
  reached = async (runId, failpoint) => {
    for (const { by } of disturbances.filter(({ at }) => at === failpoint)) {
      if (takenBy !== null) return;
      // It waits for the row, and with it for the commit.
      if (DECIDED.has(failpoint)) tooLate.push(take(runId, by));
      else await take(runId, by);
    }
  };
  const before = begun;
  const runId = await bed.submit(taskSpec('publish.all', { partition, failpoint: 'before' }, { lane }));
  await waitFor(() => begun > before && underWay === 0);
  await Promise.all(tooLate);
  return { runId, partition, takenBy };
}

/** The state that a run is left in, and how it goes on from there. */
async function goOn(runId: string, takenBy: Disturbance | null): Promise<void> {
  switch (takenBy) {
    case 'pause':
      await bed.engine.dispatcher.resume(runId);
      hint(runId);
      break;
    case 'lose_lease':
      hint(runId);
      break;
    case 'cancel':
    case 'take_over':
    case null:
  }
}

describe('a publication that anything may happen to', () => {
  it('is all there or not at all, and never twice', { timeout: 60_000 }, async () => {
    const disturbed = fc.record({ at: fc.constantFrom(...FAILPOINTS), by: fc.constantFrom(...DISTURBANCES) });
    const seen = new Set<Disturbance | null>();
    await fc.assert(
      fc.asyncProperty(fc.array(disturbed, { maxLength: 3 }), async (disturbances) => {
        const { runId, partition, takenBy } = await execute(disturbances);
        seen.add(takenBy);
        expect(takenBy === null).toBe(disturbances.every(({ at }) => DECIDED.has(at)));
        if (takenBy !== null && takenBy !== 'take_over') {
          expect(await countsOf(bed.admin, partition, runId)).toEqual(NOTHING);
          await goOn(runId, takenBy);
        }
        await bed.reach(runId, takenBy === 'cancel' ? 'cancelled' : 'completed');
        const expected = takenBy === 'cancel' ? NOTHING : EVERYTHING;
        expect(await countsOf(bed.admin, partition, runId)).toEqual(expected);
      }),
      { numRuns: 25, examples: [[[]], ...DISTURBANCES.map((by): [Disturbed[]] => [[{ at: 'worked', by }]])] },
    );
    expect(seen).toEqual(new Set([null, ...DISTURBANCES]));
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });
});
