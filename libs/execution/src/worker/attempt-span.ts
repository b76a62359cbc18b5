/** The span of an attempt: under what submitted its run, whichever worker makes it and however late. */
import { handlerKey } from '@spine/core';
import type { ClaimedRun } from '@spine/database';
import { inSpan, isTracing, startSpan } from '@spine/observability';
import type { SpanAttributes } from '@spine/observability';
import type { ExecutedAttempt } from './executor.ts';

export interface AttemptOrigin {
  readonly workerId: string;
  /** When its claim was sent, by performance.now(). */
  readonly askedAt: number;
}

/**
 * Makes an attempt within its span, which what its handler traces is under. The time from asking for the run to holding
 * it is a span of its own, linked. A run that nobody has traced starts a trace.
 */
export function inAttemptSpan(
  run: ClaimedRun,
  origin: AttemptOrigin,
  work: () => Promise<ExecutedAttempt>,
): Promise<ExecutedAttempt> {
  if (!isTracing()) return work();
  const attributes = attributesOf(run, origin);
  const claim = claimSpan(run, origin, attributes);
  return inSpan(
    `attempt ${handlerKey(run.kind, run.name)}`,
    { kind: 'consumer', parent: run.traceContext, links: claim === null ? [] : [claim], attributes },
    async (span) => {
      const executed = await work();
      const { outcome, fault } = executed;
      span.set({ 'spine.outcome': outcome });
      if (fault !== null) {
        span.set({ 'spine.error.category': fault.category, 'spine.error.retryable': fault.retryable });
        span.fail(fault.type);
      }
      return executed;
    },
  );
}

function attributesOf(run: ClaimedRun, { workerId }: AttemptOrigin): SpanAttributes {
  return {
    'spine.run_id': run.runId,
    'spine.handler': handlerKey(run.kind, run.name),
    'spine.lane': run.lane,
    'spine.attempt': run.attempt,
    'spine.max_attempts': run.maxAttempts,
    'spine.epoch': run.epoch,
    'spine.worker_id': workerId,
  };
}

/** @returns its traceparent; null for a run without a trace, whose claim would be a trace by itself. */
function claimSpan(
  { traceContext }: ClaimedRun,
  { askedAt }: AttemptOrigin,
  attributes: SpanAttributes,
): string | null {
  if (traceContext === null) return null;
  const startedAt = Date.now() - (performance.now() - askedAt);
  const span = startSpan('claim', { kind: 'consumer', parent: traceContext, attributes, startedAt });
  span.end();
  return span.traceparent;
}
