/** Waits: for a time, until an instant, for a signal. No worker is held meanwhile. */
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { CompiledBody } from '../workflow/compile.ts';
import { WORKFLOW_LIMITS } from '../workflow/model.ts';
import type { Draft } from './draft.ts';
import { plannedError, sizeProblem, wrongParams } from './failure.ts';
import { runScope } from './scope.ts';
import { settleStep } from './settle.ts';

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

export function startWait(
  draft: Draft,
  name: string,
  { step, until }: Extract<CompiledBody, { kind: 'wait' }>,
): void {
  const { attempt } = draft.step(name);
  if ('durationSeconds' in step.wait) {
    draft.setTimer(name, attempt, 'wait', step.wait.durationSeconds * 1_000);
    draft.patchStep(name, { timer: 'wait' });
  } else if ('signal' in step.wait) waitForSignal(draft, name, step.wait);
  else {
    const instant = until?.fill(runScope(draft));
    const text = instant?.isOk() ? instant.value : null;
    const at = typeof text === 'string' && INSTANT.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(at)) {
      draft.setTimerAt(name, attempt, 'wait', new Date(at));
      draft.patchStep(name, { timer: 'wait' });
      return;
    }
    const why = instant?.isErr() ? instant.error : 'it is no RFC 3339 instant such as 2026-01-31T12:00:00Z';
    settleStep(draft, name, { status: 'failed', error: wrongParams(`wait.until: ${why}`) });
  }
}

function waitForSignal(
  draft: Draft,
  name: string,
  { signal, timeoutSeconds }: { readonly signal: string; readonly timeoutSeconds?: number },
): void {
  const came = Object.hasOwn(draft.head.signals, signal) ? draft.head.signals[signal] : undefined;
  if (came !== undefined) return settleStep(draft, name, { status: 'completed', output: came });
  const { attempt } = draft.step(name);
  const others = waitersFor(draft, signal);
  draft.patchHead({ waiters: { ...draft.head.waiters, [signal]: [...others, name] } });
  if (timeoutSeconds === undefined) return;
  draft.setTimer(name, attempt, 'timeout', timeoutSeconds * 1_000);
  draft.patchStep(name, { timer: 'timeout' });
}

export function waitIsOver(draft: Draft, name: string): void {
  settleStep(draft, name, { status: 'completed', output: {} });
}

export function noSignalCame(draft: Draft, name: string, signal: string): void {
  const message = `step ${name}: the signal ${signal} has not come in time`;
  settleStep(draft, name, {
    status: 'failed',
    error: plannedError('SignalTimeoutError', message, ErrorCategory.TIMEOUT),
  });
}

/** Keeps the data and wakes who waits for it. */
export function takeSignal(draft: Draft, signal: string, data: JsonObject): void {
  const problem = signalProblem(draft, signal, data);
  if (problem !== null) {
    draft.ignored = problem;
    return;
  }
  draft.patchHead({ signals: { ...draft.head.signals, [signal]: data } });
  for (const name of waitersFor(draft, signal))
    if (draft.step(name).status === 'waiting') settleStep(draft, name, { status: 'completed', output: data });
}

function signalProblem(draft: Draft, signal: string, data: JsonObject): string | null {
  const { signals } = draft.head;
  if (!WORKFLOW_LIMITS.signal.test(signal))
    return `${JSON.stringify(signal.slice(0, 60))} is no name of a signal`;
  if (!Object.hasOwn(signals, signal) && Object.keys(signals).length >= WORKFLOW_LIMITS.signals)
    return `signal ${signal}: the run has ${WORKFLOW_LIMITS.signals} different signals already`;
  const problem = sizeProblem(`signal ${signal}`, data);
  return problem === null ? null : problem.message;
}

/** Names come from users: nothing is read off a prototype. */
function waitersFor(draft: Draft, signal: string): readonly string[] {
  return Object.hasOwn(draft.head.waiters, signal) ? (draft.head.waiters[signal] ?? []) : [];
}
