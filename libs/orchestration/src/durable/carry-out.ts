/**
 * Carries out what an advance comes to, in its transaction: the runs that it starts, questions, timers, what is given up.
 * Params that are too large for their row are stored before it commits.
 */
import { InvariantError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import {
  asQueryable,
  askApproval,
  cancelRunsIn,
  clearTimers,
  insertRuns,
  recordInherited,
  recordWorkflowSteps,
  replaceWork,
  runsOfWork,
  setTimers,
  withdrawApprovals,
} from '@spine/database';
import type { Db, DbTransaction, LockedWorkflow, NewRun } from '@spine/database';
import type { Dispatcher, Payloads } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import type { RunHead } from '../engine/state.ts';
import type { DefinitionVersions } from './definitions.ts';
import { refusedEvent } from './effects.ts';
import type { CompleteCommand, Effects, Start } from './effects.ts';

export interface AdvanceServices {
  readonly db: Db;
  readonly dispatcher: Dispatcher;
  readonly payloads: Payloads;
  readonly definitions: DefinitionVersions;
}

/** Runs that an advance starts; told to the queue when it has committed. */
export interface StartedRuns {
  readonly runs: NewRun[];
  readonly hinted: boolean;
}

/** Runs of one INSERT. */
const RUNS_PER_STATEMENT = 500;
/** Written as the source of what the engine does to runs. */
export const SOURCE = 'workflow';

/** @returns events that say what could not be started. */
export async function carryOut(
  services: AdvanceServices,
  trx: DbTransaction,
  runId: string,
  effects: Effects,
  started: StartedRuns,
): Promise<readonly WorkflowEvent[]> {
  const refused: WorkflowEvent[] = [];
  const runs: { readonly start: Start; readonly run: NewRun }[] = [];
  for (const start of effects.starts) {
    const prepared = await prepareRun(services, start, started);
    if ('refused' in prepared) refused.push(prepared.refused);
    else runs.push({ start, run: prepared.run });
  }
  await insertAll(
    trx,
    runs.map(({ run }) => run),
    started.hinted,
  );
  await recordWorkflowSteps(
    trx,
    runId,
    runs.map(({ start, run }) => ({ ...start.work, runId: run.runId })),
  );
  await recordInherited(
    trx,
    runs.flatMap(({ start, run }) =>
      start.inherited === null ? [] : [{ runId: run.runId, inherited: start.inherited }],
    ),
  );
  for (const approval of effects.asked) await askApproval(trx, runId, approval);
  await withdrawApprovals(trx, runId, effects.withdrawn);
  await setTimers(
    trx,
    runId,
    effects.timers.map(({ timer, at }) => ({ timer, at, event: { type: 'timer_fired', timer } })),
  );
  await clearTimers(trx, runId, effects.cleared);
  const cancelled = await runsOfWork(trx, runId, effects.cancelled);
  await cancelRunsIn(asQueryable(trx), cancelled, 'given up by its workflow', SOURCE);
  return refused;
}

async function prepareRun(
  { dispatcher, payloads }: AdvanceServices,
  { spec, work }: Start,
  started: StartedRuns,
): Promise<{ readonly run: NewRun } | { readonly refused: WorkflowEvent }> {
  // Of a handler nobody knows the run waits for a worker that does, as every run.
  const prepared = await dispatcher.prepare(spec, { allowUnknown: true });
  switch (prepared.type) {
    case 'prepared': {
      const run = await payloads.stow(prepared.run);
      started.runs.push(run);
      return { run };
    }
    case 'invalid':
      return { refused: refusedEvent(work, prepared.issues) };
    case 'unknown_handler':
      throw new InvariantError(`handler ${prepared.handler} was refused although any is allowed`);
  }
}

async function insertAll(trx: DbTransaction, runs: readonly NewRun[], hinted: boolean): Promise<void> {
  for (let from = 0; from < runs.length; from += RUNS_PER_STATEMENT) {
    const slice = runs.slice(from, from + RUNS_PER_STATEMENT);
    const outcomes = await insertRuns(asQueryable(trx), slice, { ambiguous: false, hinted });
    if (outcomes.some(({ type }) => type !== 'inserted')) {
      throw new InvariantError('a run that a workflow starts was there before');
    }
  }
}

/** The run that takes the place of one whose history has become too long. */
export async function goOnAsNew(
  { dispatcher, payloads }: Pick<AdvanceServices, 'dispatcher' | 'payloads'>,
  trx: DbTransaction,
  { runId, name, run }: LockedWorkflow,
  end: CompleteCommand,
  head: RunHead,
  started: StartedRuns,
): Promise<void> {
  const params: JsonObject = end.next ?? {};
  const prepared = await dispatcher.prepare(
    {
      kind: 'workflow',
      name,
      params,
      lane: run.lane,
      correlationId: run.correlationId ?? runId,
      triggerSource: 'workflow',
      metadata: { continues: runId },
      deadLetter: run.deadLetter,
      ...(run.parentRunId === null ? {} : { parentRunId: run.parentRunId }),
    },
    { allowUnknown: true },
  );
  if (prepared.type !== 'prepared') {
    throw new InvariantError(`the run that continues ${runId} was refused: ${prepared.type}`);
  }
  const next = await payloads.stow(prepared.run);
  started.runs.push(next);
  await insertAll(trx, [next], started.hinted);
  const inherited = { previous: end.outputs, ancestors: head.ancestors };
  // Who waits for this run waits for that one.
  await replaceWork(trx, runId, next.runId);
  await recordInherited(trx, [
    { runId: next.runId, inherited: { ...inherited, environment: head.environment } },
  ]);
}
