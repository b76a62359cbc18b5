/** The JSON of a handler's stored log line. Schema and mapping stand together. */
import { z } from 'zod';
import type { RunLog } from '@spine/database';

/** By pino's number, least severe first. */
const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type RunLogLevel = keyof typeof LEVELS;
export const RUN_LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

export function logLevelNumber(level: RunLogLevel): number {
  return LEVELS[level];
}

/** The name of a number; of one between two, the less severe. */
export function logLevelName(level: number): RunLogLevel {
  return RUN_LOG_LEVELS.findLast((name) => LEVELS[name] <= level) ?? 'trace';
}

export const runLogJson = z
  .object({
    log_id: z.string().describe('Grows within a run.'),
    run_id: z.string(),
    attempt: z.int().describe('The attempt that said it.'),
    epoch: z.int(),
    level: z.enum(RUN_LOG_LEVELS),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()).nullable().describe('What was logged beside the message.'),
    timestamp: z.iso.datetime().describe('When it was said, by the worker’s clock.'),
  })
  .meta({ id: 'RunLog', description: 'A line that a handler has logged.' });
export type RunLogJson = z.infer<typeof runLogJson>;

export function toRunLogJson(line: RunLog): RunLogJson {
  return {
    log_id: line.logId,
    run_id: line.runId,
    attempt: line.attempt,
    epoch: line.epoch,
    level: logLevelName(line.level),
    message: line.message,
    fields: fieldsOf(line.fields),
    timestamp: line.timestamp.toISOString(),
  };
}

function fieldsOf(fields: unknown): Record<string, unknown> | null {
  return typeof fields === 'object' && fields !== null ? { ...fields } : null;
}
