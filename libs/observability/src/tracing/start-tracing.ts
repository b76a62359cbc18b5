/** Turns tracing on for a service process, when it is asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';

/** Which traces are recorded, by the names of OTEL_TRACES_SAMPLER. */
export type TraceSampler =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

/** A value that is not shown. */
interface Hidden {
  reveal(): string;
}

/** What the settings say. */
export interface TracingChoice {
  /** Of an OTLP/HTTP collector, without `/v1/traces`. */
  readonly endpoint: string;
  readonly headers: ReadonlyMap<string, Hidden>;
  readonly serviceName: string | undefined;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly sampler: TraceSampler;
  /** Of traces, from 0 to 1. */
  readonly samplerRatio: number;
}

export interface TracingOptions {
  /** Which process: `api`, `worker`, `scheduler`. */
  readonly service: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface RunningTracing {
  /** Sends what has ended so far; resolves when it was taken, refused or given up. */
  flush(): Promise<void>;
  /** Sends what is left, waits up to `graceMs` for it, and turns tracing off. Rejects never. Default 2,000 ms. */
  stop(graceMs?: number): Promise<void>;
}

const STOP_MS = 2_000;

const OFF: RunningTracing = { flush: () => Promise.resolve(), stop: () => Promise.resolve() };

/** @param choice undefined: nothing is traced, and nothing is loaded. */
export async function startTracing(
  choice: TracingChoice | undefined,
  options: TracingOptions,
): Promise<RunningTracing> {
  if (choice === undefined) return OFF;
  const { openTelemetry } = await import('./open-telemetry.ts');
  const running = openTelemetry(choice, options);
  options.logger.info({ endpoint: choice.endpoint, sampler: choice.sampler }, 'traces are sent');
  let stopped: Promise<void> | null = null;
  return {
    flush: () => running.flush().catch(() => undefined),
    stop: (graceMs = STOP_MS) => (stopped ??= atMost(graceMs, running.stop())),
  };
}

/** Waits for `work` however it ends, but not longer. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const late = sleep(ms, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([work.catch(() => undefined), late]);
  waiting.abort();
}
