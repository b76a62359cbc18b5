/**
 * Spans by OpenTelemetry, sent as OTLP over HTTP.
 *
 * 1. A span that has ended waits in a queue of {@link MAX_WAITING}; what does not fit is dropped. Nobody waits for the
 * collector, and one that is away costs that memory. 2. An export that fails is counted, and told once until one succeeds
 * again. 3. The API of OpenTelemetry gets the same provider: spans of handlers nest under their attempt's. 4. What the settings
 * say is passed on; of compression and certificates they say nothing, and the exporter reads its own OTEL_ variables.
 */
import { hostname } from 'node:os';
import {
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Context, Span as ApiSpan, SpanContext, Tracer as ApiTracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { ReadableSpan, Sampler, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import { assertNever } from '@spine/core';
import type { Span, SpanKind as Kind, SpanOptions, TraceFields, Tracer } from './span.ts';
import type { TracingChoice, TracingOptions } from './start-tracing.ts';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';
import { useTracer } from './tracing.ts';

const MAX_WAITING = 2_048;
const BATCH = 512;
const EVERY_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;
/** Text of one attribute: names of handlers and lanes are shorter. */
const MAX_ATTRIBUTE_LENGTH = 512;

const KINDS: Readonly<Record<Kind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function samplerOf({ sampler, samplerRatio: ratio }: TracingChoice): Sampler {
  const parentBased = (root: Sampler): Sampler => new ParentBasedSampler({ root });
  switch (sampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return parentBased(new AlwaysOnSampler());
    case 'parentbased_always_off':
      return parentBased(new AlwaysOffSampler());
    case 'parentbased_traceidratio':
      return parentBased(new TraceIdRatioBasedSampler(ratio));
    default:
      return assertNever(sampler);
  }
}

function spanContextOf(traceparent: string): SpanContext | null {
  const parsed = parseTraceparent(traceparent);
  if (parsed === null) return null;
  const { traceId, spanId, sampled } = parsed;
  return { traceId, spanId, traceFlags: sampled ? 1 : 0, isRemote: true };
}

function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return formatTraceparent({ traceId, spanId, sampled: (traceFlags & 1) === 1 });
}

class OpenSpan implements Span {
  readonly traceparent: string;
  readonly #span: ApiSpan;
  readonly #context: Context;

  constructor(span: ApiSpan, parent: Context) {
    this.#span = span;
    this.#context = trace.setSpan(parent, span);
    this.traceparent = traceparentOf(span.spanContext());
  }

  set(attributes: Parameters<Span['set']>[0]): void {
    this.#span.setAttributes(attributes);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  fail(type: string): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
    this.#span.setAttribute('error.type', type);
  }

  run<T>(work: () => T): T {
    return context.with(this.#context, work);
  }

  end(): void {
    this.#span.end();
  }
}

class OpenTelemetryTracer implements Tracer {
  readonly #tracer: ApiTracer;

  constructor(tracer: ApiTracer) {
    this.#tracer = tracer;
  }

  start(name: string, { kind = 'internal', parent, links = [], attributes, startedAt }: SpanOptions): Span {
    const under = parent === undefined ? context.active() : contextOf(parent);
    const span = this.#tracer.startSpan(
      name,
      {
        kind: KINDS[kind],
        links: links.flatMap((link) => {
          const linked = spanContextOf(link);
          return linked === null ? [] : [{ context: linked }];
        }),
        ...(attributes === undefined ? {} : { attributes }),
        ...(startedAt === undefined ? {} : { startTime: startedAt }),
      },
      under,
    );
    return new OpenSpan(span, under);
  }

  traceparent(): string | null {
    const active = activeSpanContext();
    return active === null ? null : traceparentOf(active);
  }

  fields(): TraceFields {
    const active = activeSpanContext();
    return active === null ? {} : { trace_id: active.traceId, span_id: active.spanId };
  }
}

function contextOf(parent: string | null): Context {
  const remote = parent === null ? null : spanContextOf(parent);
  return remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
}

function activeSpanContext(): SpanContext | null {
  const active = trace.getActiveSpan()?.spanContext();
  return active !== undefined && isSpanContextValid(active) ? active : null;
}

/** Counts what becomes of spans, and tells when the collector is away and back. */
function counted(exporter: SpanExporter, { logger, metrics }: TracingOptions): SpanExporter {
  let failing = false;
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        const taken = result.code === ExportResultCode.SUCCESS;
        metrics.traceSpans.inc({ outcome: taken ? 'exported' : 'failed' }, spans.length);
        if (!taken && !failing)
          logger.warn({ err: result.error }, 'traces cannot be sent; work goes on without');
        if (taken && failing) logger.info('traces are sent again');
        failing = !taken;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

/** What a queue that is full has dropped is what has ended less what was exported or failed. */
function countingEnds(processor: SpanProcessor, { metrics }: TracingOptions): SpanProcessor {
  return {
    onStart: (span, parent) => processor.onStart(span, parent),
    onEnd: (span: ReadableSpan) => {
      if ((span.spanContext().traceFlags & 1) === 1) metrics.traceSpans.inc({ outcome: 'ended' });
      processor.onEnd(span);
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  };
}

/** Turns tracing on. */
export function openTelemetry(
  choice: TracingChoice,
  options: TracingOptions,
): { flush(): Promise<void>; stop(): Promise<void> } {
  const exporter = new OTLPTraceExporter({
    url: `${choice.endpoint}/v1/traces`,
    headers: Object.fromEntries([...choice.headers].map(([name, value]) => [name, value.reveal()])),
    timeoutMillis: EXPORT_TIMEOUT_MS,
    concurrencyLimit: 1,
  });
  const processor = new BatchSpanProcessor({
    exporter: counted(exporter, options),
    maxQueueSize: MAX_WAITING,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new TracerProvider({
    sampler: samplerOf(choice),
    resource: resourceFromAttributes({
      'service.namespace': 'spine',
      ...Object.fromEntries(choice.resourceAttributes),
      'service.name': choice.serviceName ?? `spine-${options.service}`,
      'service.instance.id': `${hostname()}:${process.pid}`,
    }),
    spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH },
    spanProcessors: [countingEnds(processor, options)],
  });
  const contexts = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contexts);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  useTracer(new OpenTelemetryTracer(provider.getTracer('spine')));
  return {
    flush: () => provider.forceFlush(),
    stop: async () => {
      // First: whatever the collector does, nothing is traced from here on.
      useTracer(null);
      trace.disable();
      propagation.disable();
      context.disable();
      await provider.shutdown();
    },
  };
}
