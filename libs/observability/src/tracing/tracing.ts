/**
 * The tracing of this process: off until {@link useTracer} says otherwise.
 *
 * 1. Off costs one comparison: no span, no context, and nothing of OpenTelemetry's SDK is loaded. 2. One tracer a process,
 * as OpenTelemetry has it: what handlers trace by its API nests with what Spine traces. 3. Nothing here throws for what
 * the tracer does; work is never kept from its result by its span.
 */
import { NO_SPAN } from './span.ts';
import type { Span, SpanOptions, TraceFields, Tracer } from './span.ts';
import { parseTraceparent } from './traceparent.ts';

/** Spans that one span names at the most: of a full hint, or of what one statement claims. */
const MAX_LINKS = 128;

let tracer: Tracer | null = null;

/** Null turns tracing off. */
export function useTracer(next: Tracer | null): void {
  tracer = next;
}

/** Whether anything is traced. What is only done for a span is done under it. */
export function isTracing(): boolean {
  return tracer !== null;
}

/** A span that the caller ends. */
export function startSpan(name: string, options: SpanOptions = {}): Span {
  return tracer === null ? NO_SPAN : tracer.start(name, options);
}

/** Does `work` within a span, which ends with it, as failed when it throws. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  if (tracer === null) return work(NO_SPAN);
  const span = tracer.start(name, options);
  try {
    return await span.run(() => work(span));
  } catch (error) {
    span.fail(error instanceof Error ? error.name : 'Error');
    throw error;
  } finally {
    span.end();
  }
}

/**
 * A span about many runs at once, by what they were submitted in: in their trace where they share one, else in a trace of
 * its own; with links to all. No span where none is traced.
 */
export function startSharedSpan(
  name: string,
  traceparents: Iterable<string | null | undefined>,
  options: Omit<SpanOptions, 'parent' | 'links'> = {},
): Span {
  if (tracer === null) return NO_SPAN;
  const distinct = new Set<string>();
  for (const traceparent of traceparents) {
    if (traceparent !== null && traceparent !== undefined) distinct.add(traceparent);
    if (distinct.size === MAX_LINKS) break;
  }
  const [first, ...others] = distinct;
  if (first === undefined) return NO_SPAN;
  const traceOf = (traceparent: string): string | undefined => parseTraceparent(traceparent)?.traceId;
  const shared = others.every((other) => traceOf(other) === traceOf(first));
  return tracer.start(
    name,
    shared
      ? { ...options, parent: first, links: others }
      : { ...options, parent: null, links: [first, ...others] },
  );
}

/** The W3C traceparent of what is going on here; null where it is not traced. */
export function activeTraceparent(): string | null {
  return tracer === null ? null : tracer.traceparent();
}

/** `trace_id` and `span_id` of what is going on here, for a log line. */
export function activeTraceFields(): TraceFields {
  return tracer === null ? {} : tracer.fields();
}
