import { toErrorInfo } from '@spine/core';
import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger, LoggerOptions as PinoOptions } from 'pino';

export type Logger = PinoLogger;

export interface LoggerOptions {
  /** Which process speaks: `api`, `worker`, `scheduler`. */
  readonly service: string;
  /** pino level; default `info`. */
  readonly level?: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

const SECRET_FIELDS = [
  'password',
  'secret',
  'token',
  'api_key',
  'apiKey',
  'authorization',
  'cookie',
  'access_key',
  'private_key',
  'connectionString',
  'connection_string',
] as const;

/** A secret is censored at the top level, one level down and in headers; deeper objects are not logged here. */
const REDACTED_PATHS = SECRET_FIELDS.flatMap((field) => [
  field,
  `*.${field}`,
  `*.*.${field}`,
  `headers["x-${field.replaceAll('_', '-')}"]`,
  `*.headers["x-${field.replaceAll('_', '-')}"]`,
]);

/** Causes and inner errors that are told; an error may be its own cause. */
const MAX_CAUSES = 5;

/**
 * What a log line keeps of an error. Drivers hang their whole connection on theirs, statements and settings included;
 * only these fields are safe and of use. Of what was thrown and is no error, the type and the message are.
 */
function serializeError(thrown: unknown, causes = MAX_CAUSES): unknown {
  const { type, message } = toErrorInfo(thrown);
  if (!(thrown instanceof Error)) return { type, message };
  const code = 'code' in thrown && typeof thrown.code === 'string' ? { code: thrown.code } : {};
  const cause =
    thrown.cause === undefined || causes === 0 ? {} : { cause: serializeError(thrown.cause, causes - 1) };
  return { type, message, stack: thrown.stack, ...code, ...cause };
}

/** JSON log lines with ISO times and level names; secret fields print `[REDACTED]`. */
export function createLogger(options: LoggerOptions): Logger {
  const settings: PinoOptions = {
    level: options.level ?? 'info',
    base: { service: options.service, pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: (thrown: unknown) => serializeError(thrown) },
    redact: { paths: REDACTED_PATHS, censor: '[REDACTED]' },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/** A logger that says nothing, for tests and for callers that pass none. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
