/**
 * The spans of advances: under what submitted their workflow, beside the attempts of its steps.
 *
 * 1. Many workflows are advanced in one transaction: each that is traced has a span of its own over that time. 2. What is
 * needed for a span is asked for only where something is traced, after the work, and its failure is nobody else's.
 */
import { handlerKey } from '@spine/core';
import { runTraces } from '@spine/database';
import type { Queryable } from '@spine/database';
import { isTracing, startSpan } from '@spine/observability';

/** What became of an advance, as the metric has it, and why it failed where it did. */
export interface AdvanceSpanEnd {
  readonly outcome: string;
  readonly error: unknown;
}

export interface TracedAdvances {
  readonly ends: ReadonlyMap<string, AdvanceSpanEnd>;
  /** When it began, by performance.now(). */
  readonly from: number;
}

/** Makes the spans of workflows that were advanced together, which has just ended. */
export async function traceAdvances(db: Queryable, { ends, from }: TracedAdvances): Promise<void> {
  if (!isTracing() || ends.size === 0) return;
  const endedAt = Date.now();
  const startedAt = endedAt - (performance.now() - from);
  const traced = await runTraces(db, [...ends.keys()]).catch(() => []);
  for (const { runId, kind, name, traceContext } of traced) {
    const handler = handlerKey(kind, name);
    const { outcome = 'left', error = null } = ends.get(runId) ?? {};
    const attributes = {
      'spine.run_id': runId,
      'spine.handler': handler,
      'spine.outcome': outcome,
      'spine.workflows': ends.size,
    };
    const span = startSpan(`advance ${handler}`, { parent: traceContext, attributes, startedAt });
    if (error !== null) span.fail(error instanceof Error ? error.name : 'Error');
    span.end();
  }
}
