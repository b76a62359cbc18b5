/**
 * How an attempt comes to its end, the same for every executor: what it runs, raced against what interrupts it. Nothing
 * here throws for what a handler did: every end is a value, and decideSettlement says what follows from it.
 */
import { assertNever, secretTexts, TimeoutError, toErrorInfo, ValidationError } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { AttemptEnd } from '../policy/retry.ts';
import { Published } from '../publish/published.ts';
import type { Handler } from '../registry/registry.ts';
import type { SpecIssue } from '../spec/new-run.ts';
import { AttemptContext } from './attempt-context.ts';
import type { Attempt } from './attempt.ts';
import type { AbortReason, HandlerContext } from './context.ts';
import { RunDeferredError } from './defer.ts';
import { andThen, isThenable } from './eventually.ts';
import type { Eventually } from './eventually.ts';
import { HandOver } from './hand-over.ts';
import { encodeResult } from './result.ts';

/** Calls a handler whose params are valid. Neither throws nor rejects. */
export type HandlerCall = (
  handler: Handler,
  params: unknown,
  context: HandlerContext,
) => Eventually<AttemptEnd>;

/** Validates an attempt's params and calls its handler; `lost` when the run was taken away meanwhile. */
export function runHandler(
  handler: Handler,
  attempt: Attempt,
  context: HandlerContext,
  call: HandlerCall = callInProcess,
): Eventually<AttemptEnd | 'lost'> {
  return endOfAttempt(attempt, () => callHandler(handler, attempt.run.params, context, call));
}

/** Validates params and calls the handler. Neither throws nor rejects. */
export function callHandler(
  handler: Handler,
  params: unknown,
  context: HandlerContext,
  call: HandlerCall,
): Eventually<AttemptEnd> {
  const parsed = handler.parse(params);
  return parsed.ok ? call(handler, parsed.params, context) : invalidParams(parsed.issues);
}

/** Runs `work` until it ends or the attempt is interrupted; a result that comes later is dropped and told of. */
export function endOfAttempt(
  attempt: Attempt,
  work: () => Eventually<AttemptEnd>,
): Eventually<AttemptEnd | 'lost'> {
  // What was interrupted before it began does not begin.
  if (attempt.reason !== null) return endOfInterrupted(attempt, attempt.reason);
  const working = work();
  if (!(working instanceof Promise)) return endOrInterruption(attempt, working);
  return new Promise((resolve, reject) => {
    working.then((end) => resolve(endOrInterruption(attempt, end)), reject);
    attempt.onInterrupt = (reason) => resolve(endOfInterrupted(attempt, reason));
    // By its own work, before that waited for anything.
    if (attempt.reason !== null) attempt.onInterrupt(attempt.reason);
    else attempt.startTimer();
  });
}

/** An interruption decides even when the handler answered it in the same turn. */
function endOrInterruption(attempt: Attempt, end: AttemptEnd): AttemptEnd | 'lost' {
  if (attempt.reason === null) return end;
  if (end.type === 'returned') attempt.onLateResult();
  return endOfInterrupted(attempt, attempt.reason);
}

function endOfInterrupted(attempt: Attempt, reason: AbortReason): AttemptEnd | 'lost' {
  switch (reason) {
    case 'lost':
    case 'cancelled':
    case 'paused':
      return 'lost';
    case 'shutdown':
      return { type: 'interrupted', reason: 'the worker is stopping' };
    case 'timed_out':
      return { type: 'timed_out', error: timeoutInfo(attempt) };
    default:
      return assertNever(reason);
  }
}

function timeoutInfo(attempt: Attempt): ErrorInfo {
  if (!attempt.isLastByDeadline) {
    return toErrorInfo(new TimeoutError(`the attempt exceeded its time-out of ${attempt.run.timeoutMs} ms`));
  }
  return { ...toErrorInfo(new TimeoutError('the run was not done by its deadline')), retryable: false };
}

/**
 * Calls a function and tells how it ended; a result that cannot be stored is a permanent error.
 * @param maxBytes of the result's JSON. Default LIMITS.payloadBytes.
 */
export function endOfCall(call: () => unknown, maxBytes?: number): Eventually<AttemptEnd> {
  try {
    const value = call();
    return isThenable(value)
      ? Promise.resolve(value).then((result) => endWith(result, maxBytes), endWithout)
      : endWith(value, maxBytes);
  } catch (error) {
    return endWithout(error);
  }
}

function endWith(value: unknown, maxBytes: number | undefined): AttemptEnd {
  if (Published.is(value)) return { type: 'published' };
  if (HandOver.is(value)) return { type: 'hands_over', handOver: value };
  const encoded = encodeResult(value, maxBytes);
  return encoded.isOk() ? { type: 'returned', result: encoded.value } : threw(encoded.error);
}

function endWithout(error: unknown): AttemptEnd {
  try {
    if (error instanceof RunDeferredError)
      return { type: 'deferred', delayMs: error.delayMs, reason: error.reason };
  } catch {
    // A proxy that cannot be asked what it is: an error like any other.
  }
  return threw(error);
}

/** Calls handlers in this process; secrets they were given are not in what they end with. @param maxBytes of a result's JSON. Default LIMITS.payloadBytes. */
export function inProcessCall(maxBytes?: number): HandlerCall {
  return (handler, params, context) => {
    if (!(context instanceof AttemptContext))
      return endOfCall(() => handler.invoke(params, context), maxBytes);
    const call = (): unknown => {
      // A schema may make params that nobody can walk through: that ends the attempt as well.
      for (const text of secretTexts(params)) context.scrubber.add(text);
      return handler.invoke(params, context);
    };
    return andThen(endOfCall(call, maxBytes), (end) => context.scrubber.end(end));
  };
}

export const callInProcess = inProcessCall();

export function threw(error: unknown): AttemptEnd {
  return { type: 'threw', error: toErrorInfo(error) };
}

function invalidParams(found: readonly SpecIssue[]): AttemptEnd {
  const issues = found.map(({ field, code, message }) => ({ field, code, message }));
  const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
  return threw(new ValidationError(`invalid params: ${message}`, { issues }));
}
