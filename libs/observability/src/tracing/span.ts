/** What the rest of Spine sees of a trace. Nothing here knows OpenTelemetry. */

export type SpanKind = 'internal' | 'server' | 'producer' | 'consumer';

/** Of a span: values of bounded sets, ids and counts; never params, paths, messages or other text of users. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  readonly kind?: SpanKind;
  /** A traceparent to be under; null for a trace of its own. Default: what is active. */
  readonly parent?: string | null;
  /** Traceparents of what it is about beside its parent. */
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
  /** Milliseconds since 1970. Default: now. */
  readonly startedAt?: number;
}

export interface Span {
  /** W3C; null for a span that is none. */
  readonly traceparent: string | null;
  set(attributes: SpanAttributes): void;
  /** A better name, e.g. once the route is known. */
  rename(name: string): void;
  /** Marks it as failed. @param type of the error, e.g. `TimeoutError`; not its message. */
  fail(type: string): void;
  /** Calls `work` with the span active: what starts within is under it. */
  run<T>(work: () => T): T;
  end(): void;
}

/** Which trace a log line belongs to. */
export interface TraceFields {
  readonly trace_id?: string;
  readonly span_id?: string;
}

/** Makes spans. */
export interface Tracer {
  start(name: string, options: SpanOptions): Span;
  /** Of the active span. */
  traceparent(): string | null;
  fields(): TraceFields;
}

/** Takes everything and keeps nothing. */
export const NO_SPAN: Span = {
  traceparent: null,
  set: () => undefined,
  rename: () => undefined,
  fail: () => undefined,
  run: (work) => work(),
  end: () => undefined,
};
