/**
 * Hints on BullMQ, over Redis or over Postgres.
 *
 * 1. BullMQ never retries: `attempts` is 1, Spine owns retries. 2. Every hint has a fresh job id, because adding an id
 * that exists in any state is silently ignored. 3. A consumer fetches by hand, one hint at a time, only when its
 * worker has room; the worker class's own loop would prefetch up to its concurrency. 4. What BullMQ says about a
 * job's end is ignored: its runs were settled in Postgres before.
 */
import { newId } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { JobsOptions } from 'bullmq';
import type { BullBackend, BullQueue, BullWorker, HintData } from './bullmq-backend.ts';
import { BullHintConsumer } from './bullmq-consumer.ts';
import type { FetchTimes } from './bullmq-consumer.ts';
import type { Hint, HintConsumer, HintQueue, LaneCounts, QueueBackend } from './port.ts';
import { within } from './within.ts';

/** Finished hints that stay on the board. */
const KEPT = { count: 1_000 } as const;

const CLOSE_TIMEOUT_MS = 2_000;

interface HintJob {
  readonly name: string;
  readonly data: HintData;
  readonly opts: JobsOptions;
}

function toJob(hint: Hint): HintJob {
  return {
    name: hint.label,
    data: {
      run_ids: hint.runIds,
      ...(hint.gated === true ? { gated: true } : {}),
      ...(hint.early === true ? { early: true } : {}),
    },
    opts: {
      jobId: `h-${newId()}`,
      attempts: 1,
      // BullMQ serves jobs without a priority first; 1 is its most urgent number.
      priority: hint.priority + 1,
      removeOnComplete: KEPT,
      removeOnFail: KEPT,
      ...(hint.delayMs > 0 ? { delay: hint.delayMs } : {}),
    },
  };
}

async function add(queue: BullQueue, jobs: readonly HintJob[]): Promise<void> {
  const [first, ...others] = jobs;
  if (first === undefined) return;
  // A bulk add is a transaction of three commands; the single one of an idle system is spared that.
  if (others.length === 0) await queue.add(first.name, first.data, first.opts);
  else await queue.addBulk([...jobs]);
}

export class BullHintQueue implements HintQueue {
  readonly backend: QueueBackend;
  readonly #backend: BullBackend;
  readonly #logger: Logger;
  readonly #times: FetchTimes | undefined;
  readonly #queues = new Map<string, BullQueue>();
  readonly #janitors = new Map<string, BullWorker>();

  /** @param times of its consumers */
  constructor(backend: BullBackend, logger: Logger, times?: FetchTimes) {
    this.backend = backend.name;
    this.#backend = backend;
    this.#logger = logger;
    this.#times = times;
  }

  /** The BullMQ queue of a lane, for the board. */
  queue(lane: string): BullQueue {
    const known = this.#queues.get(lane);
    if (known !== undefined) return known;
    const queue = this.#backend.queue(lane);
    queue.on('error', (error) => this.#logger.debug({ err: error, lane }, 'queue error'));
    this.#queues.set(lane, queue);
    return queue;
  }

  async publish(hints: readonly Hint[]): Promise<void> {
    this.#backend.refuseWhenAway();
    const byLane = Map.groupBy(hints, (hint) => hint.lane);
    await Promise.all([...byLane].map(([lane, group]) => add(this.queue(lane), group.map(toJob))));
  }

  consume(lane: string): HintConsumer {
    return new BullHintConsumer(
      (settings) => this.#backend.worker(lane, { ...settings, removeOnComplete: KEPT, removeOnFail: KEPT }),
      this.#logger.child({ lane }),
      this.#times,
    );
  }

  async counts(lane: string): Promise<LaneCounts> {
    this.#backend.refuseWhenAway();
    const counts = await this.queue(lane).getJobCounts(
      'wait',
      'prioritized',
      'delayed',
      'active',
      'completed',
      'failed',
    );
    const count = (state: string): number => counts[state] ?? 0;
    return {
      waiting: count('wait') + count('prioritized'),
      delayed: count('delayed'),
      active: count('active'),
      completed: count('completed'),
      failed: count('failed'),
    };
  }

  check(): Promise<void> {
    return this.#backend.check();
  }

  async recoverStalled(lanes: readonly string[]): Promise<void> {
    for (const lane of lanes) {
      if (this.#janitors.has(lane)) continue;
      // A worker without a processor that only looks for expired locks.
      const janitor = this.#backend.worker(lane, { stalledInterval: 30_000, maxStalledCount: 1 });
      janitor.on('error', (error) => this.#logger.debug({ err: error, lane }, 'stalled check'));
      this.#janitors.set(lane, janitor);
      await janitor.startStalledCheckTimer();
    }
  }

  async close(): Promise<void> {
    const open = [...this.#queues.values(), ...this.#janitors.values()];
    await Promise.all(open.map((queue) => within(CLOSE_TIMEOUT_MS, queue.close())));
    await within(CLOSE_TIMEOUT_MS, this.#backend.close());
  }
}
