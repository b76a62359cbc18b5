/**
 * The model is the engine: random schedules through the real statements, and through the model's functions, compared
 * after every step: answers, rows, events and dead letters. What the simulation and the explorer show of the model would
 * otherwise say nothing about the engine. A model with a weakened guard differs, so each of them is in the statements.
 *
 * SPINE_SIM_SEED: other schedules.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECOMMENDED } from './model/guards.ts';
import type { Guards } from './model/guards.ts';
import { openClockedDatabase } from './sql/clock.ts';
import type { ClockedDatabase } from './sql/clock.ts';
import { ModelledTable } from './sql/modelled.ts';
import { schedules } from './sql/operations.ts';
import type { Operation } from './sql/operations.ts';
import { StoredTable } from './sql/stored.ts';
import type { Shown, ShownRun } from './sql/tables.ts';

const SCHEDULES = 100;
const SEED = Number(process.env['SPINE_SIM_SEED'] ?? 1);

/** Every event a statement writes, so that each was seen to take effect. */
const EVENTS = [
  'submitted',
  'started',
  'progress',
  'retry_scheduled',
  'lease_expired',
  'handed_back',
  'deferred',
  'paused',
  'resumed',
  'completed!',
  'failed!',
  'cancelled!',
  'timed_out!',
  'dead_lettered!',
];

/** Guards of single statements. Those of processes are in no statement, and one is never reached, see `BACKED`. */
const WEAKENED: readonly Partial<Guards>[] = [
  { adoptLane: false },
  { adoptPlain: false },
  { adoptRaisesEpoch: false },
  { adoptLease: 'transaction' },
  { claimStatus: false },
  { claimDue: false },
  { claimExpiry: false },
  { claimLane: false },
  { claimRaisesEpoch: false },
  { settleFence: 'none' },
  { settleStatus: false },
  { settleFinishedEpoch: false },
  { handBackEpoch: 'kept' },
  { heartbeatEpoch: false },
  { heartbeatStatus: false },
  { eventEpoch: false },
  { eventStatus: false },
  { cancelStatus: false },
  { cancelRaisesEpoch: false },
  { pauseStatus: false },
  { pauseRaisesEpoch: false },
  { reapRecheck: 'status' },
  { reapRecheck: 'none' },
  { reapRaisesEpoch: false },
  { reapDeadlines: false },
  { reapBudget: false },
  { reapCrashLimit: false },
  { relayRecheck: false },
  { unhintStatus: false },
  { expireRecheck: false },
  { deadLetterWritten: 'afterwards' },
];

/** What a statement did. */
interface Step {
  readonly operation: Operation;
  readonly answer: Shown;
  readonly runs: readonly ShownRun[];
}

let base: ClockedDatabase;
let histories: readonly (readonly Step[])[];
beforeAll(async () => {
  base = await openClockedDatabase();
  const recorded: Step[][] = [];
  for (const schedule of fc.sample(schedules, { seed: SEED, numRuns: SCHEDULES })) {
    recorded.push(await record(schedule));
  }
  histories = recorded;
}, 240_000);
afterAll(() => base.close());

async function record(schedule: readonly Operation[]): Promise<Step[]> {
  await base.clear();
  await base.admin.query('TRUNCATE lanes');
  await base.setTime(0);
  const table = new StoredTable(base);
  const steps: Step[] = [];
  for (const operation of schedule) {
    const answer = await table.apply(operation);
    steps.push({ operation, answer, runs: await table.show() });
  }
  return steps;
}

/** The same operations through the model. */
function model(history: readonly Step[], guards: Guards): Step[] {
  const table = new ModelledTable(guards);
  return history.map(({ operation }) => {
    const answer = table.apply(operation);
    return { operation, answer, runs: table.show() };
  });
}

describe('the model', () => {
  it('does to every row what the statements do to it', async ({ annotate }) => {
    await annotate(`${histories.flat().length} steps in ${histories.length} schedules`);
    for (const history of histories) {
      for (const [index, step] of model(history, RECOMMENDED).entries()) {
        const before = history.slice(0, index + 1).map(({ operation }) => JSON.stringify(operation));
        expect(step, before.join('\n')).toEqual(history[index]);
      }
    }
  });

  it('was compared where things happen', () => {
    const events = histories.flatMap((history) => history.at(-1)?.runs.flatMap((run) => run.events) ?? []);
    expect(new Set(events.map((event) => event.replace(/@\d+/, '')))).toEqual(new Set(EVENTS));
    expect(histories.flat().length).toBeGreaterThan(1_000);
  });

  it.for(WEAKENED)('differs with %o', (weakened) => {
    const guards = { ...RECOMMENDED, ...weakened };
    expect(histories.some((history) => !isSame(model(history, guards), history))).toBe(true);
  });
});

function isSame(some: readonly Step[], others: readonly Step[]): boolean {
  return JSON.stringify(some) === JSON.stringify(others);
}
