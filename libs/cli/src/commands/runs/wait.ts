/**
 * Waiting for a run at a terminal: how far it is on standard error, its end on standard output, its outcome as exit code.
 * Ctrl-C ends the waiting and not the run, unless that was asked for.
 */

import type { EndedRun, Run, RunEvent } from '@spine/sdk';
import { durationCell } from '../../frame/cells.ts';
import { option } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { within } from '../../frame/deadline.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { Interrupted } from '../../frame/io.ts';
import { barText } from '../../frame/notices.ts';
import type { Notices } from '../../frame/notices.ts';
import { WaitedTooLong } from '../../frame/usage-error.ts';
import { runFields } from './read.ts';

const TICK_MS = 200;

export const WAIT_OPTIONS = [
  option('--timeout <span>', 'stop waiting after this long, with exit code 124 (default: never)'),
  option('--cancel-on-interrupt', 'cancel the run at Ctrl-C and at the timeout'),
];

export interface WaitAsked {
  /** Null: for ever. */
  readonly timeoutMs: number | null;
  readonly cancelOnInterrupt: boolean;
}

export function exitCodeOfRun({ status }: Pick<Run, 'status'>): ExitCode {
  return status === 'completed' ? EXIT.ok : EXIT.failed;
}

/** What is known of a run while it is waited for. */
class Waiting {
  readonly #notices: Notices;
  readonly #startedAt = performance.now();
  #event = 'submitted';
  #fraction: number | null = null;
  #message: string | null = null;

  constructor(notices: Notices) {
    this.#notices = notices;
  }

  event({ event_type }: RunEvent): void {
    if (event_type !== 'progress') this.#event = event_type;
    this.show();
  }

  progress(fraction: number, message: string | null): void {
    this.#fraction = fraction;
    this.#message = message;
    this.show();
  }

  show(): void {
    const took = durationCell(Math.floor((performance.now() - this.#startedAt) / 100) * 100) ?? '';
    const bar = this.#fraction === null ? '' : `${barText(this.#fraction)} `;
    this.#notices.progress(`${bar}${this.#message ?? this.#event} · ${took}`);
  }
}

async function waited(context: CliContext, runId: string, { timeoutMs }: WaitAsked): Promise<EndedRun> {
  const client = await context.client();
  const { notices } = context;
  const waiting = new Waiting(notices);
  const ticks = notices.showsProgress ? setInterval(() => waiting.show(), TICK_MS) : undefined;
  try {
    return await within(timeoutMs, context.signal, (signal) =>
      client.runs.wait(runId, {
        signal,
        onEvent: (event) => waiting.event(event),
        onProgress: ({ fraction, message }) => waiting.progress(fraction, message),
      }),
    );
  } finally {
    clearInterval(ticks);
    notices.done();
  }
}

/** Waits, answers with the run, and gives its outcome. @throws Interrupted, WaitedTooLong */
export async function waitForRun(context: CliContext, runId: string, asked: WaitAsked): Promise<ExitCode> {
  let run: EndedRun;
  try {
    run = await waited(context, runId, asked);
  } catch (error) {
    const client = await context.client();
    // Only what ended the waiting, and not the run, leaves it behind.
    if (error instanceof Interrupted || error instanceof WaitedTooLong) {
      if (asked.cancelOnInterrupt) {
        const { status } = await client.runs.cancel(runId, { reason: 'whoever waited gave up' });
        context.notices.say(`run ${runId} is ${status}`);
      } else if (!context.out.json) {
        context.notices.say(`run ${runId} goes on; to wait again: spine run wait ${runId}`);
      }
    }
    throw error;
  }
  await context.out.fields(run, runFields(run));
  return exitCodeOfRun(run);
}
