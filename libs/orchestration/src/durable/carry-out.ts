/**
 * Carries out what advances come to, in their transaction: the runs that they start, questions, timers, what is given up. What
 * any number of workflows ask for takes the same number of statements. Params that are too large for their row are
 * stored before it commits.
 */
import { InvariantError } from '@spine/core';
import {
  asQueryable,
  askApproval,
  cancelRunsIn,
  clearTimers,
  detachedRunsOf,
  giveUpWorkflows,
  insertRuns,
  recordInherited,
  recordWorkflowSteps,
  runsOfWork,
  setTimers,
  withdrawApprovals,
} from '@spine/database';
import type { ClaimOnInsert, Db, DbTransaction, NewRun } from '@spine/database';
import type { Dispatcher, Payloads, RunAdopter } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import type { DefinitionVersions } from './definitions.ts';
import { refusedEvent } from './effects.ts';
import type { Effects, Start } from './effects.ts';
import type { StartedRuns } from './started-runs.ts';

export interface AdvanceServices {
  readonly db: Db;
  readonly dispatcher: Dispatcher;
  readonly payloads: Payloads;
  readonly definitions: DefinitionVersions;
  /** A worker of this process, which takes runs as they are stored. Without it every run is hinted and claimed. */
  readonly adopter?: RunAdopter | undefined;
}

/** Runs of one INSERT. */
const RUNS_PER_STATEMENT = 500;
/** Written as the source of what the engine does to runs. */
export const SOURCE = 'workflow';
const GIVEN_UP = 'given up by its workflow';
const CANCEL: WorkflowEvent = { type: 'cancel', by: SOURCE, reason: GIVEN_UP, givenUp: true };
const ABANDON: WorkflowEvent = { type: 'cancel', by: SOURCE, reason: 'cancelled once more' };

/** What is to be done for a workflow run. */
export interface WorkflowEffects {
  readonly runId: string;
  /** What it starts is of its trace; null where that is not traced. */
  readonly traceContext: string | null;
  readonly effects: Effects;
}

/** A workflow run is to be told that something could not be started. */
export interface RefusedStart {
  readonly runId: string;
  readonly event: WorkflowEvent;
}

interface PreparedStart {
  readonly workflowRunId: string;
  readonly start: Start;
  readonly run: NewRun;
}

/** @returns events that say what could not be started. */
export async function carryOut(
  services: AdvanceServices,
  trx: DbTransaction,
  all: readonly WorkflowEffects[],
  started: StartedRuns,
): Promise<readonly RefusedStart[]> {
  const refused: RefusedStart[] = [];
  const prepared: PreparedStart[] = [];
  for (const { runId, traceContext, effects } of all) {
    for (const start of effects.starts) {
      const outcome = await prepareRun(services, start, traceContext, started);
      if ('refused' in outcome) refused.push({ runId, event: outcome.refused });
      else prepared.push({ workflowRunId: runId, start, run: outcome.run });
    }
  }
  await storeStarts(trx, prepared, started);
  const each = <T extends object>(
    of: (effects: Effects) => readonly T[],
  ): (T & { readonly workflowRunId: string })[] =>
    all.flatMap(({ runId, effects }) => of(effects).map((one) => ({ ...one, workflowRunId: runId })));
  for (const { workflowRunId, ...approval } of each(({ asked }) => asked)) {
    await askApproval(trx, workflowRunId, approval);
  }
  await withdrawApprovals(
    trx,
    each(({ withdrawn }) => withdrawn),
  );
  await setTimers(
    trx,
    each(({ timers }) =>
      timers.map(({ timer, at }) => ({ timer, at, event: { type: 'timer_fired', timer } })),
    ),
  );
  await clearTimers(
    trx,
    each(({ cleared }) => cleared.map((timer) => ({ timer }))),
  );
  const cancelled = await runsOfWork(
    trx,
    each(({ cancelled: given }) => given),
  );
  started.withdraw(await cancelRunsIn(asQueryable(trx), cancelled, GIVEN_UP, SOURCE));
  const givenUp = await runsOfWork(
    trx,
    each(({ givenUp: children }) => children),
  );
  const detached = await detachedRunsOf(
    trx,
    all.filter(({ effects }) => effects.detachedToo).map(({ runId }) => runId),
  );
  const undone = [...givenUp, ...detached];
  started.withdraw(await giveUpWorkflows(trx, undone, { event: CANCEL, reason: GIVEN_UP, source: SOURCE }));
  const abandoned = await runsOfWork(
    trx,
    each(({ abandoned: children }) => children),
  );
  started.withdraw(
    await giveUpWorkflows(trx, abandoned, { event: ABANDON, reason: GIVEN_UP, source: SOURCE }),
  );
  return refused;
}

async function storeStarts(
  trx: DbTransaction,
  prepared: readonly PreparedStart[],
  started: StartedRuns,
): Promise<void> {
  const runs = prepared.map(({ run }) => run);
  const adopted = started.adopt(runs);
  const held = await insertAll(trx, runs, started.hinted, adopted?.claim ?? null);
  adopted?.stored(held);
  await recordWorkflowSteps(
    trx,
    prepared.map(({ workflowRunId, start, run }) => ({ ...start.work, workflowRunId, runId: run.runId })),
  );
  await recordInherited(
    trx,
    prepared.flatMap(({ start, run }) =>
      start.inherited === null ? [] : [{ runId: run.runId, inherited: start.inherited }],
    ),
  );
}

async function prepareRun(
  { dispatcher, payloads }: AdvanceServices,
  { spec, work }: Start,
  traceContext: string | null,
  started: StartedRuns,
): Promise<{ readonly run: NewRun } | { readonly refused: WorkflowEvent }> {
  // Of a handler nobody knows the run waits for a worker that does, as every run.
  const prepared = await dispatcher.prepare(spec, { allowUnknown: true, traceContext });
  switch (prepared.type) {
    case 'prepared': {
      const run = await payloads.stow(prepared.run);
      started.add(run);
      return { run };
    }
    case 'invalid':
      return { refused: refusedEvent(work, prepared.issues) };
    case 'unknown_handler':
      throw new InvariantError(`handler ${prepared.handler} was refused although any is allowed`);
  }
}

/**
 * @param claim of a worker that takes some of them as they are stored. @returns those that were stored so.
 * @throws InvariantError where one of them was there before.
 */
export async function insertAll(
  trx: DbTransaction,
  runs: readonly NewRun[],
  hinted: boolean,
  claim: ClaimOnInsert | null = null,
): Promise<readonly string[]> {
  const held: string[] = [];
  for (let from = 0; from < runs.length; from += RUNS_PER_STATEMENT) {
    const slice = runs.slice(from, from + RUNS_PER_STATEMENT);
    const outcomes = await insertRuns(asQueryable(trx), slice, { ambiguous: false, hinted, claim });
    for (const outcome of outcomes) {
      if (outcome.type !== 'inserted') {
        throw new InvariantError('a run that a workflow starts was there before');
      }
      if (outcome.status === 'running') held.push(outcome.runId);
    }
  }
  return held;
}
