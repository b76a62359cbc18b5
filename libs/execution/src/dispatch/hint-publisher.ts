/**
 * Sends hints. Best effort by design: a hint that is lost makes its runs late, never wrong.
 *
 * 1. Nobody waits for the queue: a submit is answered when Postgres has committed.
 * 2. A dead queue is found out once, not by every submit: a circuit breaker opens, hints are dropped at once, and
 *    `available` tells submitters to mark their runs due for the workers' own poll.
 * 3. One publish at a time: what is announced meanwhile shares the next one's hints. A lone run goes at once; under load
 * hints grow instead of multiplying, which one Redis would not carry.
 * 4. Runs whose hint failed are made due for that poll too; those stored as due need no second write.
 */
import CircuitBreaker from 'opossum';
import { HINT_HORIZON_MS, markUnhinted } from '@spine/database';
import type { Queryable } from '@spine/database';
import { startSharedSpan } from '@spine/observability';
import type { Logger, Metrics, Span } from '@spine/observability';
import { toHints } from '../queue/chunk.ts';
import type { HintableRun } from '../queue/chunk.ts';
import type { Hint, HintQueue } from '../queue/port.ts';
import type { CapacityCache } from './capacity.ts';

export interface HintPublisherOptions {
  readonly queue: HintQueue;
  readonly capacity: CapacityCache;
  readonly db: Queryable;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const PUBLISH_TIMEOUT_MS = 2_000;
const RETRY_AFTER_MS = 2_000;

interface Announced {
  readonly run: HintableRun;
  readonly storedAsDue: boolean;
}

/** Looked at only as far as it is asked for. */
function* tracesOf(announced: readonly Announced[]): Generator<string | null | undefined> {
  for (const { run } of announced) yield run.traceContext;
}

export class HintPublisher {
  readonly #options: HintPublisherOptions;
  readonly #breaker: CircuitBreaker<[readonly Hint[]], void>;
  #waiting: Announced[] = [];
  #sending: Promise<void> | null = null;

  constructor(options: HintPublisherOptions) {
    this.#options = options;
    this.#breaker = new CircuitBreaker((hints: readonly Hint[]) => options.queue.publish(hints), {
      name: 'hint-queue',
      timeout: PUBLISH_TIMEOUT_MS,
      resetTimeout: RETRY_AFTER_MS,
      errorThresholdPercentage: 50,
      volumeThreshold: 2,
      rollingCountTimeout: 5_000,
    });
    this.#breaker.on('open', () =>
      options.logger.warn('the queue is not reachable; workers poll Postgres meanwhile'),
    );
    this.#breaker.on('close', () => options.logger.info('the queue is reachable again'));
  }

  /** False while the queue is known to be down. */
  get available(): boolean {
    return !this.#breaker.opened;
  }

  /**
   * Sends hints for the runs of one flush and returns at once.
   * @param storedAsDue the rows say already that no hint is on its way.
   */
  announce(runs: readonly HintableRun[], storedAsDue = false): void {
    for (const run of runs) {
      if (run.delayMs <= HINT_HORIZON_MS) this.#waiting.push({ run, storedAsDue });
    }
    if (this.#waiting.length > 0) this.#sending ??= this.#sendWaiting();
  }

  /** Resolves when every hint announced so far was sent or given up. */
  async drain(): Promise<void> {
    await this.#sending;
  }

  async #sendWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const sent = this.#waiting;
      this.#waiting = [];
      const { lanes } = this.#options.capacity.current();
      const hints = toHints(
        sent.map(({ run }) => run),
        (lane) => lanes.get(lane),
      );
      const span = startSharedSpan('publish hints', tracesOf(sent), {
        kind: 'producer',
        attributes: { 'spine.hints': hints.length, 'spine.runs': sent.length },
      });
      await this.#send(
        hints,
        sent.flatMap(({ run, storedAsDue }) => (storedAsDue ? [] : [run])),
        span,
      );
      span.end();
    }
    this.#sending = null;
  }

  /** Stops the breaker's timers. */
  async close(): Promise<void> {
    await this.drain();
    this.#breaker.shutdown();
  }

  async #send(hints: readonly Hint[], toMark: readonly HintableRun[], span: Span): Promise<void> {
    const { metrics, logger, db } = this.#options;
    try {
      await this.#breaker.fire(hints);
      metrics.hints.inc({ event: 'published' }, hints.length);
    } catch (error) {
      metrics.hints.inc({ event: 'failed' }, hints.length);
      span.fail(error instanceof Error ? error.name : 'Error');
      logger.debug({ err: error, hints: hints.length }, 'publishing hints failed');
      if (toMark.length === 0) return;
      await markUnhinted(
        db,
        toMark.map((run) => run.runId),
      ).catch((cause: unknown) => logger.debug({ err: cause }, 'marking unhinted runs failed'));
    }
  }
}
