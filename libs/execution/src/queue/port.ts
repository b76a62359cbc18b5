/**
 * The queue port. A queue carries hints: ids of runs worth claiming. It decides nothing; it may lose, repeat or
 * reorder hints, and may be down. Every implementation passes test/conformance/hint-queue.
 */

/** One queue job: runs of one lane, priority and due time. */
export interface Hint {
  readonly lane: string;
  /** 0 is the most urgent. */
  readonly priority: number;
  /** 1 to 256 run ids. */
  readonly runIds: readonly string[];
  /** What the board shows: the handler and the count. */
  readonly label: string;
  /** Not delivered before this many milliseconds. */
  readonly delayMs: number;
  /** Its runs have gates: they are claimed by another statement. Default false; being wrong costs time and no more. */
  readonly gated?: boolean;
  /** Its runs may not have committed yet: whoever does not find them looks again. Default false. */
  readonly early?: boolean;
}

/** What became of the runs of a hint, shown on the board. */
export interface HintReport {
  /** Runs by what happened to them, e.g. `{ completed: 63, gone: 1 }`. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Set when the hint should show as failed: its only run failed. */
  readonly failure: string | null;
}

export interface Delivery {
  readonly runIds: readonly string[];
  readonly priority: number;
  readonly gated: boolean;
  readonly early: boolean;
  /** Ends the hint. Never rejects: the runs are settled in Postgres whatever the queue thinks. */
  finish(report: HintReport): Promise<void>;
}

export interface HintConsumer {
  /**
   * The next hint, or null after a while without one, after an error (reported to the queue's `onError`) and once
   * closed. Called by one loop at a time.
   */
  next(): Promise<Delivery | null>;
  /** True while the queue does not answer this consumer. */
  readonly deaf: boolean;
  /** Stops waiting; hints that were delivered can still be finished. Bounded in time. */
  close(): Promise<void>;
}

/** Hints of a lane by state. */
export interface LaneCounts {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  readonly completed: number;
  readonly failed: number;
}

export type QueueBackend = 'memory' | 'bullmq-postgres' | 'bullmq-redis';

export interface HintQueue {
  readonly backend: QueueBackend;
  /** @throws when the queue cannot take the hints. */
  publish(hints: readonly Hint[]): Promise<void>;
  consume(lane: string): HintConsumer;
  counts(lane: string): Promise<LaneCounts>;
  /** @throws when the queue is not reachable or unsafely configured. */
  check(): Promise<void>;
  /** Returns hints of dead consumers to the waiting ones, so that none shows as active for ever. */
  recoverStalled(lanes: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export const MAX_RUNS_PER_HINT = 256;
