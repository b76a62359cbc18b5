/**
 * What the recorded events of a run come to when they are planned once more: the same state, and every command again, with
 * its params. Nothing is carried out.
 *
 * 1. A run that has ended by its planner has told everything: what is planned here is what happened then, to the letter. 2.
 * Children are followed to their own histories; the run of a step is known by the unit and attempt that started it. 3. The
 * size is looked at before anything is read. 4. A fork begins with the records that it has taken over: they are its own, and
 * stay as they were unless it makes them again, which is refused.
 */
import {
  getRun,
  getWorkflowRun,
  inSnapshot,
  readChildWorkflows,
  readStateRecords,
  readWorkflowHistory,
  sizeOfStepRecords,
  sizeOfWorkflowHistory,
} from '@spine/database';
import type { DbTransaction, RunRecord, WorkflowHistoryRecord } from '@spine/database';
import type { RecordedEvent, WorkflowEvent } from '../engine/event.ts';
import type { TraceEntry } from '../engine/in-memory.ts';
import { PersistentMap } from '../engine/persistent-map.ts';
import { newWorkflowState, plan } from '../engine/plan.ts';
import type { StepState, WorkflowState } from '../engine/state.ts';
import { unitKey } from '../engine/unit.ts';
import { runResultOf } from '../tools/run/run.ts';
import type { WorkflowRunResult } from '../tools/run/run.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { Modification } from '../workflow/modification.ts';
import { CONTINUES_METADATA } from './continue-run.ts';
import type { DefinitionVersions } from './definitions.ts';
import type { InspectServices } from './inspect-look.ts';

export const REPLAY_LIMITS = {
  /** Of a run with all its children. */
  events: 20_000,
  bytes: 16 * 1024 * 1024,
  /** Sub-workflows in all. */
  runs: 1_000,
} as const;

export interface ReplayedRun {
  readonly definition: WorkflowDefinition;
  readonly state: WorkflowState;
  /** Of a fork: the records that it began with, by step. */
  readonly takenOver: ReadonlyMap<string, StepState>;
  readonly result: WorkflowRunResult;
  /** What a run in memory cannot be told again at its time: see {@link Intervention}. */
  readonly interventions: readonly Intervention[];
}

/** Why a replay without the people and faults of then may differ. */
export type Intervention = 'modified' | 'cancelled' | 'attempt_timed_out' | 'run_timed_out';

export type ReplayOutcome =
  | { readonly type: 'replayed'; readonly run: RunRecord; readonly replayed: ReplayedRun }
  | { readonly type: 'not_found' }
  /** It is no workflow, or no worker has taken it up yet. */
  | { readonly type: 'not_begun'; readonly run: RunRecord }
  /** More than {@link REPLAY_LIMITS}. */
  | { readonly type: 'too_large'; readonly events: number; readonly bytes: number }
  /** What is told does not tell all of it: `reason` says why. */
  | { readonly type: 'incomplete'; readonly reason: string };

/** Raised within, answered as an outcome. */
class Refusal extends Error {
  readonly outcome: Extract<ReplayOutcome, { type: 'too_large' | 'incomplete' }>;

  constructor(outcome: Refusal['outcome']) {
    super(outcome.type);
    this.outcome = outcome;
  }
}

interface Budget {
  events: number;
  bytes: number;
  runs: number;
}

/** Plans the history of a run again. A run under way is replayed up to now. */
export async function replayHistory(
  { db, definitions }: InspectServices,
  runId: string,
): Promise<ReplayOutcome> {
  try {
    return await inSnapshot(db, async (trx): Promise<ReplayOutcome> => {
      const run = await getRun(trx, runId);
      if (run === null) return { type: 'not_found' };
      if ((await getWorkflowRun(trx, runId)) === null) return { type: 'not_begun', run };
      const budget = { events: 0, bytes: 0, runs: 0 };
      const trace: TraceEntry[] = [];
      const told = await replayOne(trx, definitions, budget, runId, runId, trace);
      trace.sort((a, b) => a.at.getTime() - b.at.getTime());
      const result = runResultOf(told.definition, { ...told, trace, runId, oneChapter: true });
      const replayed = { ...told, result, interventions: interventionsIn(trace) };
      return { type: 'replayed', run, replayed };
    });
  } catch (error) {
    if (error instanceof Refusal) return error.outcome;
    throw error;
  }
}

/** @param name under which the trace has the run: a child's is its parent's with unit and attempt, as in memory. */
async function replayOne(
  trx: DbTransaction,
  definitions: DefinitionVersions,
  budget: Budget,
  runId: string,
  name: string,
  trace: TraceEntry[],
): Promise<Pick<ReplayedRun, 'definition' | 'state' | 'takenOver'>> {
  const record = await getWorkflowRun(trx, runId);
  if (record === null) {
    throw new Refusal({ type: 'incomplete', reason: `the history of run ${runId} is not there` });
  }
  await spend(trx, budget, runId);
  const definition = await definitions.get(trx, record.name, record.version);
  const events = (await readWorkflowHistory(trx, runId)).flatMap(countedEvent);
  const takenOver = await readTakenOver(trx, budget, runId, events);
  if (name !== runId) requireWhole(await getRun(trx, runId));
  const state = replayEvents(definition, { events, takenOver }, name, trace);
  for (const child of await readChildWorkflows(trx, runId, REPLAY_LIMITS.runs + 1)) {
    const { unit, attempt } = child;
    // One that was given up before it began has told nothing.
    if ((await getWorkflowRun(trx, child.runId)) === null) continue;
    await replayOne(trx, definitions, budget, child.runId, `${name}/${unit}#${attempt}`, trace);
  }
  return { definition, state, takenOver };
}

interface CountedEvent {
  readonly at: Date;
  readonly event: WorkflowEvent;
}

function countedEvent({ event: json, timestamp: at }: WorkflowHistoryRecord): CountedEvent[] {
  const { ignored: countedForNothing, ...event } = json as RecordedEvent;
  return countedForNothing === undefined ? [{ at, event }] : [];
}

/** The history of a sub-workflow that has gone on as a new run is told by several. @throws Refusal */
function requireWhole(run: RunRecord | null): void {
  if (run === null || !Object.hasOwn(run.metadata, CONTINUES_METADATA)) return;
  const reason = `its sub-workflow ${run.name} went on in a new run (continue_as_new): ${run.runId}`;
  throw new Refusal({ type: 'incomplete', reason });
}

/** @throws Refusal for a fork that has run again what it had taken over: the records are not those of its beginning. */
async function readTakenOver(
  trx: DbTransaction,
  budget: Budget,
  runId: string,
  events: readonly CountedEvent[],
): Promise<ReadonlyMap<string, StepState>> {
  const first = events[0]?.event;
  const fork = first?.type === 'started' ? first.fork : undefined;
  if (fork === undefined) return new Map();
  const kept = new Set(fork.kept);
  for (const { event } of events) {
    const again = modificationsIn(event).find((each) => each.type === 'retry_step' && kept.has(each.step));
    if (again?.type !== 'retry_step') continue;
    const reason = `it has run step ${again.step} again, which it had taken over from run ${fork.runId}`;
    throw new Refusal({ type: 'incomplete', reason });
  }
  budget.bytes += await sizeOfStepRecords(trx, runId, fork.kept);
  requireWithin(budget);
  const names = fork.kept.map((key) => ({ runId, part: 'step', key }) as const);
  const records = await readStateRecords(trx, names);
  return new Map(records.map(({ key, value }) => [key, value as StepState]));
}

function modificationsIn(event: WorkflowEvent): readonly Modification[] {
  if (event.type === 'modified') return [event.modification];
  if (event.type !== 'step_settled' || event.result.status !== 'ok') return [];
  return event.result.modifications ?? [];
}

async function spend(trx: DbTransaction, budget: Budget, runId: string): Promise<void> {
  const { events, bytes } = await sizeOfWorkflowHistory(trx, runId, REPLAY_LIMITS.events + 1);
  budget.events += events;
  budget.bytes += bytes;
  budget.runs += 1;
  requireWithin(budget);
}

function requireWithin(budget: Budget): void {
  if (
    budget.events > REPLAY_LIMITS.events ||
    budget.bytes > REPLAY_LIMITS.bytes ||
    budget.runs > REPLAY_LIMITS.runs
  ) {
    throw new Refusal({ type: 'too_large', events: budget.events, bytes: budget.bytes });
  }
}

function replayEvents(
  definition: WorkflowDefinition,
  {
    events,
    takenOver,
  }: { readonly events: readonly CountedEvent[]; readonly takenOver: ReadonlyMap<string, StepState> },
  name: string,
  trace: TraceEntry[],
): WorkflowState {
  let state: WorkflowState = { ...newWorkflowState(), steps: new PersistentMap(takenOver) };
  for (const { at, event } of events) {
    const planned = plan(definition, state, event, at);
    state = planned.state;
    // The run of a child has an id of its own; in a trace it goes by its place.
    const { commands, ignored } = planned;
    trace.push({ at, runId: name, event: asInMemory(event), commands, ignored });
  }
  return state;
}

/** Items are told there as steps are; the planner takes both. */
function asInMemory(event: WorkflowEvent): WorkflowEvent {
  if (event.type !== 'map_item_settled') return event;
  const { step, index, attempt, result } = event;
  return { type: 'step_settled', unit: unitKey({ type: 'item', step, index }), attempt, result };
}

function interventionsIn(trace: readonly TraceEntry[]): Intervention[] {
  const found = new Set<Intervention>();
  for (const { event, ignored } of trace) {
    if (ignored !== null) continue;
    if (event.type === 'modified') found.add('modified');
    if (event.type === 'cancel') found.add('cancelled');
    if (event.type === 'timer_fired' && event.timer.endsWith(':timeout')) {
      found.add(event.timer.startsWith('!') ? 'run_timed_out' : 'attempt_timed_out');
    }
  }
  return [...found];
}
