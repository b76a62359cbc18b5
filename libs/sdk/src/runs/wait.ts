/**
 * Waiting for the end of a run: its events tell when to look, and where following them does not work (a proxy that
 * collects answers, an API whose streams are all taken) it is looked at again and again. What the run says when it is read
 * decides, not the events.
 */
import { SpineAnswerError, SpineConnectionError, isProblem } from '../errors.ts';
import type { Run, RunEvent } from '../generated/index.ts';
import { sleep } from '../http/deadline.ts';

const TERMINAL = ['completed', 'failed', 'cancelled', 'timed_out', 'dead_lettered'] as const;
export type TerminalStatus = (typeof TERMINAL)[number];

/** A run that will not change any more. */
export type EndedRun = Run & { status: TerminalStatus };

export function isEnded(run: Run): run is EndedRun {
  return TERMINAL.some((status) => status === run.status);
}

/** What a handler says of how far it is. */
export interface Progress {
  /** From 0 to 1. */
  readonly fraction: number;
  readonly message: string | null;
}

export interface WaitOptions {
  /** Ends the waiting, not the run: `AbortSignal.timeout(60_000)` waits a minute. */
  readonly signal?: AbortSignal | undefined;
  /** Is told every event of the run, from the first on. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Is told the run's progress. Not called where the run's events cannot be followed. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Between looks where events cannot be followed. Default 1,000. */
  readonly pollMs?: number | undefined;
}

export interface Waiting {
  readonly events: (signal: AbortSignal | undefined) => AsyncIterable<RunEvent>;
  /** Without its payloads, to see whether it has ended. */
  readonly look: (signal: AbortSignal | undefined) => Promise<Run>;
  readonly read: (signal: AbortSignal | undefined) => Promise<Run>;
}

/** @throws the signal's reason, SpineProblem NOT_FOUND, or what reading the run throws */
export async function waitForEnd(waiting: Waiting, options: WaitOptions): Promise<EndedRun> {
  const { signal, pollMs = 1_000 } = options;
  await followEvents(waiting, options);
  // The terminal event is written with the run's end; after a stream that worked, this looks once.
  while (!isEnded(await waiting.look(signal))) await sleep(pollMs, signal);
  const run = await waiting.read(signal);
  if (isEnded(run)) return run;
  throw new SpineAnswerError(
    `answered that run ${run.run_id} has ended, and then that it is ${run.status}`,
    200,
  );
}

async function followEvents(waiting: Waiting, { signal, onEvent, onProgress }: WaitOptions): Promise<void> {
  const events = waiting.events(signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await eventOrNone(events, signal);
      if (next === null) return;
      onEvent?.(next);
      const progress = progressOf(next);
      if (progress !== null) onProgress?.(progress);
    }
  } finally {
    // A callback that throws ends the stream too.
    await events.return?.();
  }
}

/** Null at the end, and where the stream does not work. */
async function eventOrNone(
  events: AsyncIterator<RunEvent>,
  signal: AbortSignal | undefined,
): Promise<RunEvent | null> {
  try {
    const next = await events.next();
    return next.done === true ? null : next.value;
  } catch (error) {
    if (signal?.aborted !== true && canBePolled(error)) return null;
    throw error;
  }
}

function canBePolled(error: unknown): boolean {
  return (
    error instanceof SpineConnectionError ||
    error instanceof SpineAnswerError ||
    isProblem(error, 'UNAVAILABLE', 'RATE_LIMITED')
  );
}

function progressOf({ event_type, data }: RunEvent): Progress | null {
  if (event_type !== 'progress' || typeof data !== 'object' || data === null) return null;
  const { fraction, message } = data as { fraction?: unknown; message?: unknown };
  if (typeof fraction !== 'number') return null;
  return { fraction, message: typeof message === 'string' ? message : null };
}
