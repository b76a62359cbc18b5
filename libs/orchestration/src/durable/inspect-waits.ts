/** What a step that has not settled waits for. Pure. */
import { assertNever } from '@spine/core';
import type { ApprovalRecord, OpenTimer } from '@spine/database';
import type { RunGraph } from '../engine/run-graph.ts';
import type { RunHead, StepState, StepStatus } from '../engine/state.ts';
import { SETTLED_STATUSES } from '../engine/state.ts';

/** `until`: when it goes on, or fails, in any case; null for never, or for as long as the run is paused. */
export type WaitsFor =
  /** Other steps: the first of those that have not settled. */
  | { readonly type: 'steps'; readonly steps: readonly string[]; readonly count: number }
  /** A place under the workflow's `max_concurrency`. */
  | { readonly type: 'slot' }
  | { readonly type: 'resume' }
  /** Its run, or that of the workflow it has started. */
  | { readonly type: 'run'; readonly runId: string | null; readonly until: Date | null }
  | { readonly type: 'items'; readonly running: number; readonly notStarted: number }
  | { readonly type: 'retry'; readonly until: Date | null }
  | { readonly type: 'time'; readonly until: Date | null }
  | { readonly type: 'signal'; readonly signal: string; readonly until: Date | null }
  | {
      readonly type: 'approval';
      readonly approvers: readonly string[];
      readonly message: string;
      readonly until: Date | null;
    };

/** Steps named in one answer. */
const NAMED = 20;

export interface WaitFacts {
  readonly head: RunHead;
  readonly graph: RunGraph;
  readonly statusOf: (step: string) => StepStatus;
  /** Whether somebody has paused the run. */
  readonly paused: boolean;
  /** The step's own timer. */
  readonly timer: OpenTimer | null;
  /** The last question the step has asked. */
  readonly approval: ApprovalRecord | null;
  /** Of the attempt under way. */
  readonly attemptRunId: string | null;
}

/** Null for a step that has settled, and for one that a run which has ended did not come to. */
export function waitsFor(
  name: string,
  state: Pick<StepState, 'status' | 'map'>,
  facts: WaitFacts,
): WaitsFor | null {
  const { head, graph, timer } = facts;
  if (head.phase.type === 'ended') return null;
  const until = timer?.dueAt ?? null;
  switch (state.status) {
    case 'pending':
      return head.phase.type === 'running' || head.phase.type === 'new' ? forSteps(name, facts) : null;
    case 'ready':
      return facts.paused || head.paused ? { type: 'resume' } : { type: 'slot' };
    case 'running':
      if (state.map !== null) {
        const { count, next, running } = state.map;
        return { type: 'items', running, notStarted: Math.max(0, count - next) };
      }
      return { type: 'run', runId: facts.attemptRunId, until };
    case 'retrying':
      return { type: 'retry', until };
    case 'waiting': {
      const step = graph.step(name);
      return step?.kind === 'wait' && 'signal' in step.wait
        ? { type: 'signal', signal: step.wait.signal, until }
        : { type: 'time', until };
    }
    case 'awaiting_approval': {
      const { approvers = [], message = '' } = facts.approval ?? {};
      return { type: 'approval', approvers, message, until };
    }
    case 'completed':
    case 'failed':
    case 'skipped':
    case 'not_taken':
    case 'cancelled':
      return null;
    default:
      return assertNever(state.status);
  }
}

function forSteps(name: string, { graph, statusOf }: WaitFacts): WaitsFor {
  const open = predecessorsOf(graph)
    .get(name)
    ?.filter((each) => !SETTLED_STATUSES.has(statusOf(each)));
  return { type: 'steps', steps: open?.slice(0, NAMED) ?? [], count: open?.length ?? 0 };
}

const known = new WeakMap<RunGraph, ReadonlyMap<string, readonly string[]>>();

/** The graph keeps what leads on; asked for by many steps at once, it is turned round once. */
function predecessorsOf(graph: RunGraph): ReadonlyMap<string, readonly string[]> {
  const before = known.get(graph);
  if (before !== undefined) return before;
  const made = new Map<string, string[]>();
  for (const from of graph.names())
    for (const { to } of graph.outgoing(from)) {
      const others = made.get(to);
      if (others === undefined) made.set(to, [from]);
      else others.push(from);
    }
  known.set(graph, made);
  return made;
}
