import { pino } from 'pino';
import type {
  Bindings,
  ChildLoggerOptions,
  DestinationStream,
  Logger as PinoLogger,
  LoggerOptions as PinoOptions,
} from 'pino';
import { redactFields, redactText, tellError } from './redact.ts';
import { activeTraceFields } from './tracing/tracing.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  /** Which process speaks: `api`, `worker`, `scheduler`. */
  readonly service: string;
  /** pino level; default `info`. */
  readonly level?: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/** What `err` holds was thrown, whatever it is. */
function shownFields(fields: Record<string, unknown>): Record<string, unknown> {
  const shown = redactFields(fields);
  return 'err' in fields ? { ...shown, err: tellError(fields['err']) } : shown;
}

/**
 * JSON log lines with ISO times and level names; secret fields and credentials in text print `[REDACTED]`. What is traced
 * carries `trace_id` and `span_id`.
 */
export function createLogger(options: LoggerOptions): Logger {
  const settings: PinoOptions = {
    level: options.level ?? 'info',
    base: { service: options.service, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }), log: shownFields },
    hooks: { streamWrite: redactText },
    // Told by shownFields; pino's own would look for an error.
    serializers: { err: (told: unknown) => told },
    // A copy: pino adds the line's own fields to it.
    mixin: () => ({ ...activeTraceFields() }),
  };
  return withShownBindings(
    options.destination === undefined ? pino(settings) : pino(settings, options.destination),
  );
}

/** Children print their bindings as they are given, whatever the parent's formatters say; theirs have the same method. */
function withShownBindings(logger: Logger): Logger {
  const child = logger.child<never>;
  return Object.assign(logger, {
    child(this: Logger, bindings: Bindings, options?: ChildLoggerOptions): Logger {
      return child.call(this, shownFields(bindings), options);
    },
  });
}

/** A logger that says nothing, for tests and for callers that pass none. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
