/**
 * One advance of a workflow run: it is told what is due, and what follows is carried out, in one transaction.
 *
 * 1. Everything commits or nothing does: the state, the runs that are started, timers, questions, what is given up, and the
 *    end of the run. What was told is gone with it, so that it is told once.
 * 2. Two advances of one run exclude each other; the second finds the row locked and leaves it.
 * 3. The run's own row is locked meanwhile. While the engine does not hold the run at its epoch, nothing is planned: a
 *    paused run waits to be handed over again, one that has ended takes what it has started with it.
 * 4. Params that are too large for their row are stored before, and removed when nothing commits.
 */
import { isTerminal } from '@spine/core';
import {
  activeRunsOf,
  asQueryable,
  cancelRunsIn,
  classifySqlFault,
  clearEndedInbox,
  endWorkflow,
  inboxOf,
  limitTransaction,
  lockWorkflow,
  readStateRecords,
  saveAdvance,
  suspendWorkflow,
  writeStateRecords,
} from '@spine/database';
import type { DbTransaction, InboxEvent, LockedWorkflow } from '@spine/database';
import type { WorkflowEvent } from '../engine/event.ts';
import type { RunHead } from '../engine/state.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { carryOut, goOnAsNew, SOURCE } from './carry-out.ts';
import type { AdvanceServices, StartedRuns } from './carry-out.ts';
import { effectsOf } from './effects.ts';
import type { CompleteCommand } from './effects.ts';
import { endRun } from './end-run.ts';
import { endedEventOf } from './ended-event.ts';
import { Planning } from './planning.ts';

export type AdvanceOutcome =
  | { readonly type: 'advanced'; readonly events: number; readonly more: boolean; readonly ended: boolean }
  /** Somebody else advances it, or it has ended. */
  | { readonly type: 'left' }
  /** The engine does not hold its run. */
  | { readonly type: 'suspended' }
  /** Its run has ended by other means; what it had started is cancelled. */
  | { readonly type: 'closed' };

/** Events one advance tells at the most. */
export const ADVANCE_EVENTS = 500;
const LIMITS = { lockTimeoutMs: 10_000, idleTimeoutMs: 30_000 } as const;

/** Advances a workflow run by what is due. @throws what the database throws; then nothing has happened. */
export async function advanceRun(services: AdvanceServices, runId: string): Promise<AdvanceOutcome> {
  const started: StartedRuns = { runs: [], hinted: services.dispatcher.hinting };
  try {
    const outcome = await services.db
      .transaction()
      .execute((trx) => advanceIn(services, trx, runId, started));
    if (started.runs.length > 0) services.dispatcher.announce(started.runs, started.hinted);
    return outcome;
  } catch (error) {
    // A COMMIT that went unanswered may have happened: what it has not stored is swept up later.
    if (classifySqlFault(error) !== 'connection') {
      for (const run of started.runs) services.payloads.discard(run.runId, run.paramsRef);
    }
    throw error;
  }
}

async function advanceIn(
  services: AdvanceServices,
  trx: DbTransaction,
  runId: string,
  started: StartedRuns,
): Promise<AdvanceOutcome> {
  await limitTransaction(trx, LIMITS);
  const locked = await lockWorkflow(trx, runId);
  if (locked === null) {
    // The end of a run that committed while its workflow ended would be due for ever.
    await clearEndedInbox(trx, runId);
    return { type: 'left' };
  }
  if (isTerminal(locked.run.status)) {
    await close(trx, runId);
    return { type: 'closed' };
  }
  if (locked.run.status !== 'running' || locked.run.epoch !== locked.epoch) {
    await suspendWorkflow(trx, runId);
    return { type: 'suspended' };
  }
  const inbox = await inboxOf(trx, runId, ADVANCE_EVENTS);
  if (inbox.length === 0) return { type: 'left' };
  const definition = await services.definitions.get(trx, locked.name, locked.version);
  const end = await planAndCarryOut(services, trx, { locked, definition, inbox, started });
  return {
    type: 'advanced',
    events: inbox.length,
    more: inbox.length === ADVANCE_EVENTS,
    ended: end !== null,
  };
}

/** The run has ended without the planner: a cancel, a deadline. */
async function close(trx: DbTransaction, runId: string): Promise<void> {
  await cancelRunsIn(asQueryable(trx), await activeRunsOf(trx, runId), 'its workflow has ended', SOURCE);
  await endWorkflow(trx, runId);
}

interface Work {
  readonly locked: LockedWorkflow;
  readonly definition: WorkflowDefinition;
  readonly inbox: readonly InboxEvent[];
  readonly started: StartedRuns;
}

async function planAndCarryOut(
  services: AdvanceServices,
  trx: DbTransaction,
  { locked, definition, inbox, started }: Work,
): Promise<CompleteCommand | null> {
  const { runId, now } = locked;
  const planning = new Planning(
    definition,
    locked.head as RunHead | null,
    (names) => readStateRecords(trx, runId, names),
    now,
  );
  const events: WorkflowEvent[] = [];
  for (const { event, ended } of inbox) {
    const told =
      ended === null ? (event as WorkflowEvent | null) : await endedEventOf(services.payloads, ended);
    if (told !== null) events.push(told);
  }
  await planning.prefetch(events);
  for (const event of events) await planning.tell(event);

  let end: CompleteCommand | null = null;
  // What is refused is told at once, and may lead to more.
  for (let commands = planning.takeCommands(); commands.length > 0; commands = planning.takeCommands()) {
    const effects = effectsOf(commands, { ...locked, environment: planning.head.environment });
    for (const refused of await carryOut(services, trx, runId, effects, started))
      await planning.tell(refused);
    end = effects.end ?? end;
  }
  await writeStateRecords(trx, runId, planning.changes());
  await saveAdvance(trx, locked, {
    head: planning.head,
    told: inbox.map(({ seq }) => seq),
    events: planning.told,
  });
  if (end !== null) await finish(services, trx, locked, end, planning.head, started);
  return end;
}

async function finish(
  { dispatcher, payloads }: AdvanceServices,
  trx: DbTransaction,
  locked: LockedWorkflow,
  end: CompleteCommand,
  head: RunHead,
  started: StartedRuns,
): Promise<void> {
  const { runId } = locked;
  if (end.status === 'continued') await goOnAsNew({ dispatcher, payloads }, trx, locked, end, head, started);
  const left = await activeRunsOf(trx, runId);
  await cancelRunsIn(asQueryable(trx), left, 'its workflow has ended', SOURCE);
  await endRun(trx, payloads, locked, end);
  await endWorkflow(trx, runId);
}
