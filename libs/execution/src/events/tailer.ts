/**
 * One tail for all who follow events in this process, read only while somebody does.
 *
 * 1. It is told of new events (LISTEN) and looks once a second in any case. 2. Every wake begins anew, with a horizon of
 * its own; what followers have seen is theirs to know.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ErrorCategory, SpineError } from '@spine/core';
import { EVENTS_CHANNEL, NotificationListener } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { EventBatch } from './live-event.ts';
import { Tail } from './tail.ts';
import type { Next, TailLimits } from './tail.ts';

export interface TailerOptions extends TailLimits {
  readonly db: Queryable;
  readonly connectionString: string;
  readonly applicationName: string;
  readonly logger: Logger;
  /** How often it looks when nobody says that there is something. Default 1 s. */
  readonly pollMs?: number;
  /** How long a follower waits for the first horizon. Default 10 s. */
  readonly wakeMs?: number;
}

/** Gets every batch from when it follows, in order. Must return at once. */
export type Follower = (batch: EventBatch) => void;

/** The tailer, kept awake for one follower. */
export interface TailUse {
  /** Everything up to here was passed on. */
  readonly safe: number;
  /** Passes on what comes from now on. Answers with what was passed on beyond the horizon, and the horizon. */
  follow(follower: Follower): EventBatch;
  /** Ends it; the last one lets the tailer sleep. */
  release(): Promise<void>;
}

/** Between two looks, whatever is said. */
const SHORTEST_PAUSE_MS = 100;

interface Wake {
  readonly tail: Tail;
  readonly followers: Set<Follower>;
  readonly stopping: AbortController;
  readonly started: Promise<void>;
  readonly loop: Promise<void>;
  users: number;
}

export class EventTailer {
  readonly #options: TailerOptions;
  #wake: Wake | null = null;

  constructor(options: TailerOptions) {
    this.#options = options;
  }

  /** What it reads now; null while nobody follows. */
  get tail(): Tail | null {
    return this.#wake?.tail ?? null;
  }

  /**
   * Keeps the tailer awake, once the horizon is known.
   * @throws SpineError (retryable) when it is not in time: a transaction that writes events stays open, or Postgres is away.
   */
  async use(signal: AbortSignal): Promise<TailUse> {
    const wake = (this.#wake ??= this.#begin());
    wake.users += 1;
    let used = true;
    const followed: Follower[] = [];
    const use: TailUse = {
      get safe() {
        return wake.tail.safe ?? 0;
      },
      follow: (follower) => {
        followed.push(follower);
        wake.followers.add(follower);
        return { events: wake.tail.ahead, cursor: wake.tail.safe ?? 0 };
      },
      release: async () => {
        if (!used) return;
        used = false;
        for (const follower of followed) wake.followers.delete(follower);
        wake.users -= 1;
        if (wake.users > 0) return;
        if (this.#wake === wake) this.#wake = null;
        wake.stopping.abort();
        await wake.loop;
      },
    };
    const { wakeMs = 10_000 } = this.#options;
    await Promise.race([
      wake.started,
      sleep(wakeMs, undefined, { signal, ref: false }).catch(() => undefined),
    ]);
    if (wake.tail.safe !== null) return use;
    await use.release();
    throw new SpineError(
      'events cannot be followed now: the database does not answer, or a transaction that writes events stays open',
      { category: ErrorCategory.DATABASE, retryable: true },
    );
  }

  #begin(): Wake {
    const followers = new Set<Follower>();
    const stopping = new AbortController();
    const tail = new Tail(
      this.#options.db,
      (batch) => {
        for (const follower of followers) follower(batch);
      },
      this.#options,
    );
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const loop = this.#run(tail, stopping.signal, begun);
    return { tail, followers, stopping, started, loop, users: 0 };
  }

  async #run(tail: Tail, signal: AbortSignal, begun: () => void): Promise<void> {
    const { connectionString, applicationName, logger, pollMs = 1_000 } = this.#options;
    let tell: () => void = () => undefined;
    const listener = new NotificationListener({
      connectionString,
      applicationName,
      channels: [EVENTS_CHANNEL],
      onNotification: () => tell(),
      onConnect: () => tell(),
      onError: (error) =>
        logger.debug({ err: error }, 'the connection for events broke; the poll serves meanwhile'),
    });
    listener.start();
    while (!signal.aborted) {
      const told = new Promise<void>((resolve) => {
        tell = resolve;
      });
      const next = await tail.look().catch((error: unknown): Next => {
        logger.debug({ err: error }, 'new events could not be read');
        return 'idle';
      });
      if (tail.safe !== null) begun();
      if (next === 'now') continue;
      await sleep(SHORTEST_PAUSE_MS, undefined, { signal }).catch(() => undefined);
      if (next === 'idle') await waitFor(told, pollMs - SHORTEST_PAUSE_MS, signal);
    }
    await listener.stop();
  }
}

/** Waits until it is told, or for so long, or until it is stopped. */
async function waitFor(told: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const late = sleep(Math.max(0, ms), undefined, { signal: AbortSignal.any([signal, over.signal]) });
  await Promise.race([told, late.catch(() => undefined)]);
  over.abort();
}
