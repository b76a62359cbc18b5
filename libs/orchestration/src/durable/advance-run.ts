/**
 * Advances of workflow runs: each is told what is due, and what follows is carried out; many of them in one transaction.
 *
 * 1. Everything commits or nothing does: states, the runs that are started, timers, questions, what is given up, and the
 *    ends of runs. What was told is gone with it, so that it is told once.
 * 2. Two advances of one run exclude each other; the second finds the row locked and leaves it.
 * 3. The run's own row is locked meanwhile. While the engine does not hold the run at its epoch, nothing is planned: a
 *    paused run waits to be handed over again, one that has ended takes what it has started with it.
 * 4. Params that are too large for their row are stored before, and removed when nothing commits.
 * 5. A workflow that cannot be advanced keeps no other from it: one that cannot be planned is left out, and when a
 *    transaction of many fails, each of them gets one of its own.
 */
import { isTerminal } from '@spine/core';
import {
  activeRunsOf,
  asQueryable,
  cancelRunsIn,
  classifySqlFault,
  clearEndedInboxes,
  endWorkflows,
  inboxesOf,
  limitTransaction,
  lockWorkflows,
  saveAdvances,
  suspendWorkflows,
} from '@spine/database';
import type { DbTransaction, GateKey, LockedWorkflow } from '@spine/database';
import { admissionGates } from './admit.ts';
import { SOURCE } from './carry-out.ts';
import type { AdvanceServices } from './carry-out.ts';
import { ADVANCE_EVENTS, ADVANCE_LIMITS, conclude } from './conclude.ts';
import { PlannedAdvance } from './planned-advance.ts';
import { StartedRuns } from './started-runs.ts';
import { StateReader } from './state-reader.ts';
import { recordTrackedClose } from './tracked-end.ts';

/** Gates at which the run may have had a place that is free by now. */
type FreedGates = readonly GateKey[];

export type AdvanceOutcome =
  | {
      readonly type: 'advanced';
      readonly events: number;
      readonly more: boolean;
      readonly ended: boolean;
      readonly freed: FreedGates;
    }
  /** Somebody else advances it, or it has ended. */
  | { readonly type: 'left' }
  /** The engine does not hold its run. */
  | { readonly type: 'suspended'; readonly freed: FreedGates }
  /** Its run has ended by other means; what it had started is cancelled. */
  | { readonly type: 'closed'; readonly freed: FreedGates };

/** One that could not be advanced is as it was. */
export type AdvanceResult = AdvanceOutcome | { readonly type: 'failed'; readonly error: unknown };

/** What became of each; one that is not named was left. */
export type AdvanceResults = ReadonlyMap<string, AdvanceResult>;

const LEFT: AdvanceOutcome = { type: 'left' };

/** Advances a workflow run by what is due. @throws what the database or its plan throws; then nothing has happened. */
export async function advanceRun(services: AdvanceServices, runId: string): Promise<AdvanceOutcome> {
  const outcome = (await advanceTogether(services, [runId])).get(runId) ?? LEFT;
  if (outcome.type === 'failed') throw outcome.error;
  return outcome;
}

/**
 * Advances workflow runs by what is due of each, in one transaction while nothing goes wrong. Answers for each.
 * @throws what says that the database cannot be reached; what has happened until then is told by their rows.
 */
export async function advanceRuns(
  services: AdvanceServices,
  runIds: readonly string[],
): Promise<AdvanceResults> {
  try {
    return await advanceTogether(services, runIds);
  } catch (error) {
    const [only, ...others] = runIds;
    if (only === undefined || classifySqlFault(error) === 'connection') throw error;
    if (others.length === 0) return new Map([[only, { type: 'failed', error }]]);
    return advanceApart(services, runIds);
  }
}

async function advanceApart(services: AdvanceServices, runIds: readonly string[]): Promise<AdvanceResults> {
  const outcomes = new Map<string, AdvanceResult>();
  for (const runId of runIds) {
    for (const [each, outcome] of await advanceRuns(services, [runId])) outcomes.set(each, outcome);
  }
  return outcomes;
}

async function advanceTogether(
  services: AdvanceServices,
  runIds: readonly string[],
): Promise<AdvanceResults> {
  const started = new StartedRuns(services);
  let outcomes: AdvanceResults;
  try {
    outcomes = await services.db.transaction().execute((trx) => advanceIn(services, trx, runIds, started));
  } catch (error) {
    started.failed(error);
    throw error;
  }
  started.announce();
  return outcomes;
}

async function advanceIn(
  services: AdvanceServices,
  trx: DbTransaction,
  runIds: readonly string[],
  started: StartedRuns,
): Promise<AdvanceResults> {
  await limitTransaction(trx, ADVANCE_LIMITS);
  const locked = await lockWorkflows(trx, runIds);
  const outcomes = new Map<string, AdvanceResult>();
  const here = new Set(locked.map(({ runId }) => runId));
  // The end of a run that committed while its workflow ended would be due for ever.
  await clearEndedInboxes(
    trx,
    runIds.filter((runId) => !here.has(runId)),
  );
  const by = Map.groupBy(locked, holdOn);
  const [over, unheld] = [by.get('over') ?? [], by.get('unheld') ?? []];
  const cancelled = new Set(await close(trx, over));
  for (const each of over) outcomes.set(each.runId, { type: 'closed', freed: admissionGates(each) });
  await suspendWorkflows(
    trx,
    unheld.map(({ runId }) => runId),
  );
  for (const each of unheld) outcomes.set(each.runId, { type: 'suspended', freed: admissionGates(each) });

  // One that has just ended with the run above it starts nothing: it is due again, to be closed.
  const held = (by.get('held') ?? []).filter(({ runId }) => !cancelled.has(runId));
  const planned = await planAll(services, trx, held, outcomes);
  for (const [runId, outcome] of await conclude(services, trx, planned, started, saveAdvances)) {
    outcomes.set(runId, outcome);
  }
  return outcomes;
}

/** Whether the engine holds the run. */
function holdOn({ run, epoch }: LockedWorkflow): 'over' | 'held' | 'unheld' {
  if (isTerminal(run.status)) return 'over';
  return run.status === 'running' && run.epoch === epoch ? 'held' : 'unheld';
}

/** Their runs have ended without the planner: a cancel, a deadline. @returns runs that end with them. */
async function close(trx: DbTransaction, over: readonly LockedWorkflow[]): Promise<readonly string[]> {
  if (over.length === 0) return [];
  const runIds = over.map(({ runId }) => runId);
  const active = await activeRunsOf(trx, runIds);
  const cancelled = await cancelRunsIn(asQueryable(trx), active, 'its workflow has ended', SOURCE);
  await endWorkflows(trx, runIds);
  for (const each of over) await recordTrackedClose(trx, each);
  return cancelled;
}

/** Tells each what is due of it; what fails is told in `outcomes`, and nothing of it is carried out. */
async function planAll(
  { definitions, payloads, dispatcher }: AdvanceServices,
  trx: DbTransaction,
  held: readonly LockedWorkflow[],
  outcomes: Map<string, AdvanceResult>,
): Promise<readonly PlannedAdvance[]> {
  const inboxes = await inboxesOf(
    trx,
    held.map(({ runId }) => runId),
    ADVANCE_EVENTS,
  );
  const states = new StateReader(trx);
  const due = held.flatMap((locked) => {
    const inbox = inboxes.get(locked.runId);
    return inbox === undefined ? [] : [{ locked, inbox }];
  });
  const planned = await Promise.all(
    due.map(async ({ locked, inbox }) => {
      try {
        const definition = await definitions.get(trx, locked.name, locked.version);
        const advance = new PlannedAdvance(locked, definition, inbox, states.readerOf(locked.runId));
        await advance.tellAll({ payloads, dispatcher });
        return advance;
      } catch (error) {
        outcomes.set(locked.runId, { type: 'failed', error });
        return null;
      }
    }),
  );
  return planned.filter((advance) => advance !== null);
}
