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
import { HandOver } from './hand-over.ts';
import { encodeResult } from './result.ts';

/** Calls a handler whose params are valid. Rejects never. */
export type HandlerCall = (handler: Handler, params: unknown, context: HandlerContext) => Promise<AttemptEnd>;

/** Validates an attempt's params and calls its handler; `lost` when the run was taken away meanwhile. */
export function runHandler(
  handler: Handler,
  attempt: Attempt,
  context: HandlerContext,
  call: HandlerCall = callInProcess,
): Promise<AttemptEnd | 'lost'> {
  return endOfAttempt(attempt, () => callHandler(handler, attempt.run.params, context, call));
}

/** Validates params and calls the handler. Rejects never. */
export function callHandler(
  handler: Handler,
  params: unknown,
  context: HandlerContext,
  call: HandlerCall,
): Promise<AttemptEnd> {
  const parsed = handler.parse(params);
  return parsed.ok ? call(handler, parsed.params, context) : Promise.resolve(invalidParams(parsed.issues));
}

/** Runs `work` until it ends or the attempt is interrupted; a result that comes later is dropped and told of. */
export async function endOfAttempt(
  attempt: Attempt,
  work: () => Promise<AttemptEnd>,
): Promise<AttemptEnd | 'lost'> {
  // What was interrupted before it began does not begin.
  if (attempt.reason !== null) return endOfInterrupted(attempt, attempt.reason);
  const working = work();
  const first = await Promise.race([working, attempt.interrupted]);
  // An interruption decides even when the handler answered it in the same turn.
  const reason = attempt.reason;
  if (reason === null) return typeof first === 'string' ? 'lost' : first;
  void working.then((end) => {
    if (end.type === 'returned') attempt.onLateResult();
  });
  return endOfInterrupted(attempt, reason);
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
export async function endOfCall(call: () => unknown, maxBytes?: number): Promise<AttemptEnd> {
  try {
    const value = await call();
    if (Published.is(value)) return { type: 'published' };
    if (HandOver.is(value)) return { type: 'hands_over', handOver: value };
    const encoded = encodeResult(value, maxBytes);
    return encoded.isOk() ? { type: 'returned', result: encoded.value } : threw(encoded.error);
  } catch (error) {
    if (error instanceof RunDeferredError) {
      return { type: 'deferred', delayMs: error.delayMs, reason: error.reason };
    }
    return threw(error);
  }
}

/** Calls handlers in this process; secrets they were given are not in what they end with. @param maxBytes of a result's JSON. Default LIMITS.payloadBytes. */
export function inProcessCall(maxBytes?: number): HandlerCall {
  return async (handler, params, context) => {
    if (!(context instanceof AttemptContext))
      return endOfCall(() => handler.invoke(params, context), maxBytes);
    for (const text of secretTexts(params)) context.scrubber.add(text);
    return context.scrubber.end(await endOfCall(() => handler.invoke(params, context), maxBytes));
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
