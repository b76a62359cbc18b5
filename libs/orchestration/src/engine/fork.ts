/**
 * A new run that begins in the middle of another: what came before the step, and what has nothing to do with it, is taken
 * over; the step and all that depends on it runs again. So does what the other run has not come to, was cut off from, or has
 * undone.
 */
import { Err, Ok } from '@spine/core';
import type { JsonObject, Result } from '@spine/core';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { WorkflowEvent } from './event.ts';
import { PersistentMap } from './persistent-map.ts';
import { newWorkflowState, plan } from './plan.ts';
import type { Plan } from './plan.ts';
import { RunGraph } from './run-graph.ts';
import type { RunHead, StepState, StepStatus, WorkflowState } from './state.ts';

export interface Fork {
  readonly runId: string;
  /** The first step that runs again. */
  readonly from: string;
  /** In place of those of the other run. Default: its own. */
  readonly params?: JsonObject;
}

type StartedEvent = Extract<WorkflowEvent, { type: 'started' }>;

/** The fork's first event but for the run's own id, and the steps whose records go before it. */
export type ForkStart = Omit<StartedEvent, 'runId' | 'fork'> & Required<Pick<StartedEvent, 'fork'>>;

/** What of a step decides whether it is taken over. */
export interface ForkedStep {
  readonly status: StepStatus;
  /** Whether its compensation has begun. */
  readonly undone: boolean;
}

/**
 * How a fork of a run begins. Costs the number of its steps.
 *
 * @param head of the other run. @param stepOf its steps; undefined for one that nothing has happened to.
 * @returns why it cannot, where there is no such step.
 */
export function forkStart(
  definition: WorkflowDefinition,
  head: RunHead,
  stepOf: (step: string) => ForkedStep | undefined,
  { from, params }: Omit<Fork, 'runId'>,
): Result<ForkStart, string> {
  const graph = new RunGraph(definition, head.overlay);
  if (!graph.has(from)) return new Err(`there is no step ${from}`);
  const undone = graph.names().filter((name) => stepOf(name)?.undone === true);
  const again = withDependents(graph, [from, ...undone]);
  const kept = graph.names().filter((name) => {
    const step = stepOf(name);
    return step !== undefined && !again.has(name) && isAccepted(graph, name, step.status);
  });
  const { environment, ancestors, context, previous, overlay } = head;
  return new Ok({
    type: 'started',
    params: params ?? head.params,
    environment,
    ancestors,
    context,
    previous,
    fork: { runId: head.runId, from, kept, signals: signalsFor(graph, head, new Set(kept)), overlay },
  });
}

/** The start of the forked run, whole: its state and its first commands. Costs the size of the state. */
export function forkRun(
  definition: WorkflowDefinition,
  state: WorkflowState,
  { runId, ...fork }: Fork,
  now: Date,
): Result<Plan, string> {
  const stepOf = (name: string): ForkedStep | undefined => {
    const step = state.steps.get(name);
    return step === undefined ? undefined : { status: step.status, undone: step.undo !== null };
  };
  return forkStart(definition, state.head, stepOf, fork).map((start) => {
    const kept = start.fork.kept.flatMap((name): [string, StepState][] => {
      const step = state.steps.get(name);
      return step === undefined ? [] : [[name, step]];
    });
    const begun = { ...newWorkflowState(), steps: new PersistentMap(kept) };
    return plan(definition, begun, { ...start, runId }, now);
  });
}

/** Settled, and such that what depends on it was told: a failure that stopped the run, or a cancelled step, was not. */
function isAccepted(graph: RunGraph, name: string, status: StepStatus): boolean {
  if (status === 'failed') {
    const policy = graph.step(name)?.onError ?? graph.definition.policy?.onError;
    return policy === 'continue';
  }
  return status === 'completed' || status === 'skipped' || status === 'not_taken';
}

/** Those that came, but for what steps will wait for again: it was for the other run. */
function signalsFor(
  graph: RunGraph,
  { signals }: RunHead,
  kept: ReadonlySet<string>,
): Readonly<Record<string, JsonObject>> {
  const waited = new Set(
    graph.names().flatMap((name) => {
      const step = graph.step(name);
      return step?.kind === 'wait' && 'signal' in step.wait && !kept.has(name) ? [step.wait.signal] : [];
    }),
  );
  return Object.fromEntries(Object.entries(signals).filter(([name]) => !waited.has(name)));
}

function withDependents(graph: RunGraph, from: readonly string[]): ReadonlySet<string> {
  const found = new Set(from);
  // The set grows while it is walked.
  for (const name of found) for (const { to } of graph.outgoing(name)) found.add(to);
  return found;
}
