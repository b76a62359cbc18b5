/** What travels between a thread pool and its threads: plain data, nothing that only lives on one side. */
import type { MessagePort } from 'node:worker_threads';
import type { AttemptInfo } from '../../worker/context.ts';

/** A function to find, and to call unless it is only asked for. */
export type ThreadTask = ThreadProbe | ThreadCall;

interface ThreadTarget {
  /** `file:` URL of the module. */
  readonly module: string;
  readonly export: string;
}

export interface ThreadProbe extends ThreadTarget {
  readonly type: 'probe';
}

export interface ThreadCall extends ThreadTarget {
  readonly type: 'call';
  readonly params: unknown;
  readonly run: AttemptInfo;
  readonly traceparent: string | null;
  /** Of the result's JSON. */
  readonly maxResultBytes: number;
  /** Takes {@link ThreadMessage}s to the pool. */
  readonly port: MessagePort;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a handler reports while it runs. */
export type ThreadMessage =
  | { readonly type: 'progress'; readonly fraction: number; readonly message: string | null }
  /** `data` is JSON text of an object. */
  | { readonly type: 'event'; readonly eventType: string; readonly data: string }
  /** `fields` is JSON text of an object. */
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: string; readonly message: string };

/** `log.info('text')` or `log.info({ rows }, 'text')`; what is not JSON is left out. */
export type IsolatedLog = Readonly<
  Record<LogLevel, (fields: Readonly<Record<string, unknown>> | string, message?: string) => void>
>;

/**
 * What a handler in a thread gets beside its params. It has no signal: a thread whose attempt is over is terminated,
 * whatever it does. It has no database either: what it finds out, it returns.
 */
export interface IsolatedContext {
  readonly run: AttemptInfo;
  readonly log: IsolatedLog;
  /** W3C traceparent of the attempt, for what the handler calls; null where nothing is traced. */
  readonly traceparent: string | null;
  /** Records progress as an event: a fraction from 0 to 1 and a message. At most one a second is kept. */
  progress(fraction: number, message?: string): void;
  /** Ends the attempt and puts the run off, no attempt charged. @param seconds until it may start again. */
  defer(seconds: number, reason: string): never;
  /** Appends an event to the run's history before the attempt ends; one that cannot be appended fails the attempt. */
  event(type: string, data?: Readonly<Record<string, unknown>>): void;
}
