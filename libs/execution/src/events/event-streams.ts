/** The streams of events this process serves. */
import { createPool, lastEventId, runHistory } from '@spine/database';
import type { Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { eventStream } from './event-stream.ts';
import type { StreamItem, StreamRequest } from './event-stream.ts';
import { RunFactsCache } from './run-facts.ts';
import { EventTailer } from './tailer.ts';

export interface EventStreamsOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Clients at the same time. Default 500. */
  readonly maxStreams?: number;
  /** Default 15 s. */
  readonly heartbeatMs?: number;
  /** Events that may wait for one client. Default 10,000. */
  readonly maxWaiting?: number;
  /** How often it looks for events when nobody says that there are some. Default 1 s. */
  readonly pollMs?: number;
  /** How long the first client waits until events can be followed. Default 10 s. */
  readonly wakeMs?: number;
}

export interface OpenStream {
  /** Where the items begin: who resumes there misses none of them, and may get some that were there before. */
  readonly cursor: number;
  readonly items: AsyncIterable<StreamItem>;
  /** Gives its place back; called whatever became of the items. */
  close(): Promise<void>;
}

export type OpenOutcome =
  | { readonly type: 'open'; readonly stream: OpenStream }
  /** The run has ended, and the client has seen it. */
  | { readonly type: 'over' }
  | { readonly type: 'run_not_found' }
  | { readonly type: 'too_many'; readonly maxStreams: number }
  /** A cursor this database has not given out. */
  | { readonly type: 'unknown_cursor' }
  /** A cursor that is further behind than {@link MAX_BEHIND}. */
  | { readonly type: 'too_far_behind' };

export interface StreamsStatus {
  readonly streams: number;
  readonly maxStreams: number;
  /** Whether new events are read, which is only while somebody follows them. */
  readonly awake: boolean;
  readonly lastEventId: number;
  /** Everything up to here was passed on; null while not awake. */
  readonly safeEventId: number | null;
  /** Events passed on beyond that. */
  readonly ahead: number;
}

/** Ids that a client which follows all runs may be behind. */
export const MAX_BEHIND = 1_000_000;

/** Connections for the tail and for clients that catch up. */
const CONNECTIONS = 3;

export class EventStreams {
  readonly #options: EventStreamsOptions;
  readonly #pool: Pool;
  readonly #tailer: EventTailer;
  readonly #facts: RunFactsCache;
  readonly #closing = new AbortController();
  #streams = 0;

  constructor(options: EventStreamsOptions) {
    const { connectionString, applicationName, logger } = options;
    this.#options = options;
    // Not the hot path's: these statements are best planned for their values.
    this.#pool = createPool({
      connectionString,
      applicationName,
      max: CONNECTIONS,
      onError: (error) => logger.debug({ err: error }, 'an idle connection for events broke'),
    });
    this.#tailer = new EventTailer({ ...options, db: this.#pool });
    this.#facts = new RunFactsCache(this.#pool);
  }

  get maxStreams(): number {
    return this.#options.maxStreams ?? 500;
  }

  /**
   * Opens a stream; `signal` is aborted when the client is gone.
   * @throws SpineError (retryable) when events cannot be followed now.
   */
  async open(request: StreamRequest, signal: AbortSignal): Promise<OpenOutcome> {
    if (this.#streams >= this.maxStreams) return { type: 'too_many', maxStreams: this.maxStreams };
    this.#count(1);
    try {
      const refused = await this.#refusal(request);
      if (refused === null) return { type: 'open', stream: await this.#stream(request, signal) };
      this.#count(-1);
      return refused;
    } catch (error) {
      this.#count(-1);
      throw error;
    }
  }

  async status(): Promise<StreamsStatus> {
    const { tail } = this.#tailer;
    return {
      streams: this.#streams,
      maxStreams: this.maxStreams,
      awake: tail !== null,
      lastEventId: await lastEventId(this.#pool),
      safeEventId: tail?.safe ?? null,
      ahead: tail?.ahead.length ?? 0,
    };
  }

  /** Ends every stream. */
  endAll(): void {
    this.#closing.abort();
  }

  async close(): Promise<void> {
    this.endAll();
    await this.#pool.end();
  }

  async #refusal({ filter, after, untilTerminal }: StreamRequest): Promise<OpenOutcome | null> {
    const last = await lastEventId(this.#pool);
    if (after !== null && after > last) return { type: 'unknown_cursor' };
    if (filter.runId === undefined) {
      return after !== null && last - after > MAX_BEHIND ? { type: 'too_far_behind' } : null;
    }
    const history = await runHistory(this.#pool, filter.runId);
    if (history === null) return { type: 'run_not_found' };
    const hasSeenTheEnd =
      after !== null && history.terminalEventId !== null && history.terminalEventId <= after;
    return untilTerminal && hasSeenTheEnd ? { type: 'over' } : null;
  }

  async #stream(request: StreamRequest, signal: AbortSignal): Promise<OpenStream> {
    const use = await this.#tailer.use(signal);
    // In the same turn as the stream begins to follow.
    const cursor = request.after ?? use.safe;
    const items = eventStream(request, {
      ...this.#options,
      db: this.#pool,
      facts: this.#facts,
      use,
      signal,
      closing: this.#closing.signal,
    });
    let closed = false;
    return {
      cursor,
      items,
      close: async () => {
        if (closed) return;
        closed = true;
        this.#count(-1);
        await use.release();
      },
    };
  }

  #count(by: 1 | -1): void {
    this.#streams += by;
    this.#options.metrics.eventStreams.set(this.#streams);
  }
}
