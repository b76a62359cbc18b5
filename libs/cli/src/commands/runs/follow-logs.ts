/**
 * The log lines of a run while it runs.
 *
 * 1. Lines are read by cursor, oldest first; each comes once. 2. The end is read after the run has ended, so that no line
 * is left out. 3. An event of the run says that it is worth looking; without one it is looked once a second, since lines
 * make no events.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { PageOf, RunEvent, RunLog } from '@spine/sdk';
import { deferred } from '../../launch/deferred.ts';

const LOOK_MS = 1_000;

export interface LogSource {
  readonly page: (cursor: string | null) => Promise<PageOf<RunLog>>;
  readonly hasEnded: () => Promise<boolean>;
  /** Of the run, ending with it. */
  readonly events: (signal: AbortSignal) => AsyncIterable<RunEvent>;
}

/** @throws the signal's reason, and what reading throws */
export async function* followLogs(
  source: LogSource,
  signal: AbortSignal,
): AsyncGenerator<RunLog, void, undefined> {
  const bell = new Bell();
  const ended = new AbortController();
  // That events cannot be followed is no reason to fail: looking finds the end as well.
  const listening = listen(source, bell, AbortSignal.any([signal, ended.signal])).catch(() => undefined);
  let cursor: string | null = null;
  let seen = new Set<string>();
  try {
    for (;;) {
      const hasEnded = await source.hasEnded();
      for (;;) {
        const { data, page }: PageOf<RunLog> = await source.page(cursor);
        yield* data.filter(({ log_id }) => !seen.has(log_id));
        // The last page is asked for again: more may have come to it.
        if (page.next_cursor === null || !page.has_more) {
          seen = new Set(data.map(({ log_id }) => log_id));
          break;
        }
        cursor = page.next_cursor;
        seen = new Set();
      }
      if (hasEnded) return;
      await bell.rungWithin(LOOK_MS, signal);
    }
  } finally {
    ended.abort();
    await listening;
  }
}

async function listen(source: LogSource, bell: Bell, signal: AbortSignal): Promise<void> {
  const events = source.events(signal)[Symbol.asyncIterator]();
  while ((await events.next()).done !== true) bell.ring();
}

/** Rung by one, waited for by another. */
class Bell {
  #rung = deferred<null>();

  ring(): void {
    this.#rung.resolve(null);
  }

  /** @throws the signal's reason */
  async rungWithin(ms: number, signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const ends = AbortSignal.any([signal, timer.signal]);
    const elapsed = wait(ms, undefined, { signal: ends }).catch(() => undefined);
    await Promise.race([this.#rung.promise, elapsed]);
    timer.abort();
    signal.throwIfAborted();
    this.#rung = deferred<null>();
  }
}
