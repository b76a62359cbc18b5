/** An attempt's payloads: params that are fetched before its handler, a result that is stored after it. */
import { ValidationError } from '@spine/core';
import type { Handler } from '../registry/registry.ts';
import type { AttemptEnd } from '../policy/retry.ts';
import type { Attempt } from '../worker/attempt.ts';
import { callHandler, endOfAttempt, threw } from '../worker/attempt-end.ts';
import type { HandlerCall } from '../worker/attempt-end.ts';
import type { HandlerContext } from '../worker/context.ts';
import { andThen } from '../worker/eventually.ts';
import type { Eventually } from '../worker/eventually.ts';
import type { Payloads } from './payloads.ts';

/**
 * Runs an attempt whose payloads may be outside its run's row. Fetching and storing count as part of the attempt: its
 * time-out, a cancel and a lost lease end them too. What fails of them is the attempt's error, so that it always settles.
 */
export function runWithPayloads(
  payloads: Payloads,
  handler: Handler,
  attempt: Attempt,
  context: HandlerContext,
  call: HandlerCall,
): Eventually<AttemptEnd | 'lost'> {
  const { run } = attempt;
  return endOfAttempt(attempt, () =>
    andThen(
      run.paramsRef === null
        ? callHandler(handler, run.params, context, call)
        : fetchAndCall(payloads, handler, attempt, context, call),
      (end) => stowIfLarge(payloads, attempt, end),
    ),
  );
}

async function fetchAndCall(
  payloads: Payloads,
  handler: Handler,
  attempt: Attempt,
  context: HandlerContext,
  call: HandlerCall,
): Promise<AttemptEnd> {
  let params: unknown;
  try {
    params = await payloads.params(attempt.run);
  } catch (error) {
    return threw(error);
  }
  // Interrupted while they were fetched: the attempt is over, and its handler must not start.
  if (attempt.reason !== null) return threw(attempt.signal.reason);
  return callHandler(handler, params, context, call);
}

function stowIfLarge(payloads: Payloads, attempt: Attempt, end: AttemptEnd): Eventually<AttemptEnd> {
  return end.type === 'returned' && end.result !== null && payloads.isLarge(end.result)
    ? stowResult(payloads, attempt, end.result)
    : end;
}

async function stowResult(payloads: Payloads, attempt: Attempt, result: string): Promise<AttemptEnd> {
  const { runId, epoch } = attempt.run;
  const { maxBytes } = payloads.limits;
  const bytes = Buffer.byteLength(result);
  if (bytes > maxBytes) {
    return threw(
      new ValidationError(
        `the handler's result cannot be stored: it is ${bytes} bytes of JSON, at most ${maxBytes} are allowed`,
      ),
    );
  }
  try {
    const stored = await payloads.stowResult(runId, epoch, result);
    if (!('resultRef' in stored)) return { type: 'returned', result: stored.result };
    // Nobody settles it any more.
    if (attempt.reason !== null) payloads.discard(runId, stored.resultRef);
    return { type: 'returned', ...stored };
  } catch (error) {
    return threw(error);
  }
}
