/** What a step of the playground shows. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { SETTLED_STATUSES } from '../../engine/state.ts';
import type { RunOutcome, StepStatus } from '../../engine/state.ts';
import type { StepResult } from '../../workflow/step-result.ts';
import type { Moment, Next } from './moment.ts';

export interface SettledStep {
  readonly step: string;
  readonly status: StepStatus;
  readonly output: JsonObject | null;
  readonly error: ErrorInfo | null;
}

/** What one step forth has done. */
export interface PlaygroundSnapshot {
  /** From 1. */
  readonly index: number;
  /** `work`: a handler was called. `timer`: time has passed. `waiting` and `ended`: nothing has happened. */
  readonly type: Next['type'];
  /** The step, e.g. `load`; an item `load[3]`; a compensation `load!undo`; a timer's key. Null where nothing has happened. */
  readonly unit: string | null;
  /** What the handler was given. */
  readonly params: JsonObject | null;
  readonly result: StepResult | null;
  /** Steps that have settled by it; choices and skipped steps settle by themselves. */
  readonly settled: readonly SettledStep[];
  /** Of the virtual clock. */
  readonly at: Date;
  readonly run: RunOutcome['status'] | 'running';
}

/** What the next step forth would do. */
export type PlaygroundPeek =
  | { readonly type: 'work'; readonly unit: string; readonly attempt: number; readonly params: JsonObject }
  /** Time passes until `at`; until then the run may be told something. */
  | (Waiting & { readonly type: 'timer'; readonly timer: string; readonly at: Date })
  | (Waiting & { readonly type: 'waiting' })
  | { readonly type: 'ended'; readonly status: RunOutcome['status']; readonly outputs: JsonObject };

/** What the run would hear of. */
export interface Waiting {
  /** Steps that wait for a decision. */
  readonly approvals: readonly string[];
  /** Signals that steps wait for. */
  readonly signals: readonly string[];
}

/** What has changed from `before` to `now`. */
export function snapshotOf(
  index: number,
  next: Next,
  before: Moment,
  now: Moment,
  result: StepResult | null,
): PlaygroundSnapshot {
  const work = next.type === 'work' ? next.work : null;
  return {
    index,
    type: next.type,
    unit: work?.unit ?? (next.type === 'timer' ? next.timer : null),
    params: work?.params ?? null,
    result,
    settled: now.state.steps.entries().flatMap(([step, { status, output, error, attempt }]) => {
      const earlier = before.state.steps.get(step);
      const known = earlier?.status === status && earlier.attempt === attempt;
      return known || !SETTLED_STATUSES.has(status) ? [] : [{ step, status, output, error }];
    }),
    at: now.now,
    run: runStatusOf(now),
  };
}

export function runStatusOf({ state }: Moment): PlaygroundSnapshot['run'] {
  const { phase } = state.head;
  return phase.type === 'ended' ? phase.outcome.status : 'running';
}

/** What comes next, as it is shown. */
export function peekOf(next: Next): PlaygroundPeek {
  switch (next.type) {
    case 'work':
      return { type: 'work', unit: next.work.unit, attempt: next.work.attempt, params: next.work.params };
    case 'timer':
      return { type: 'timer', timer: next.timer, at: next.at, ...waitingOf(next.moment) };
    case 'waiting':
      return { type: 'waiting', ...waitingOf(next.moment) };
    case 'ended':
      return { type: 'ended', status: next.outcome.status, outputs: next.moment.outputs };
  }
}

function waitingOf({ state }: Moment): Waiting {
  return {
    approvals: state.steps
      .entries()
      .flatMap(([name, { status }]) => (status === 'awaiting_approval' ? [name] : [])),
    signals: Object.keys(state.head.waiters),
  };
}
