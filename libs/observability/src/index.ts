export * from './capture-logger.ts';
export * from './health-server.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './metrics-lanes.ts';
export * from './metrics-workflows.ts';
export * from './service-process.ts';
export { NO_SPAN, type Span, type SpanAttributes, type SpanKind, type SpanOptions } from './tracing/span.ts';
export {
  startTracing,
  type RunningTracing,
  type TracingChoice,
  type TracingOptions,
} from './tracing/start-tracing.ts';
export { formatTraceparent, parseTraceparent, type TraceParent } from './tracing/traceparent.ts';
export {
  activeTraceFields,
  activeTraceparent,
  inSpan,
  isTracing,
  startSharedSpan,
  startSpan,
} from './tracing/tracing.ts';
