/**
 * Sends hints. Best effort by design: a hint that is lost makes its runs late, never wrong.
 *
 * 1. Nobody waits for the queue: a submit is answered when Postgres has committed.
 * 2. A dead queue is found out once, not by every submit: a circuit breaker opens, hints are dropped at once, and
 *    `available` tells submitters to mark their runs due for the workers' own poll.
 * 3. One publish at a time: what is announced meanwhile shares the next one's hints. A lone run goes at once; under load
 * hints grow instead of multiplying, which one Redis would not carry.
 * 4. Runs whose hint failed are made due for that poll too; those stored as due need no second write.
 * 5. The hint of a lone run may be sent while its row is on its way to Postgres, and says so; whoever submits the run
 * announces it again when that hint was not sent, or is likely to have been given up before the row was there.
 */
import CircuitBreaker from 'opossum';
import { HINT_HORIZON_MS, markUnhinted } from '@spine/database';
import type { Queryable } from '@spine/database';
import { startSharedSpan } from '@spine/observability';
import type { Logger, Metrics } from '@spine/observability';
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

/** The runs of one flush. */
interface Announced {
  readonly runs: readonly HintableRun[];
  readonly storedAsDue: boolean;
}

/** Looked at only as far as it is asked for. */
function* tracesOf(runs: readonly HintableRun[]): Generator<string | null | undefined> {
  for (const { traceContext } of runs) yield traceContext;
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
    const soon = runs.filter(({ delayMs = 0 }) => delayMs <= HINT_HORIZON_MS);
    if (soon.length > 0) this.#waiting.push({ runs: soon, storedAsDue });
    if (this.#waiting.length > 0) this.#sending ??= this.#sendWaiting();
  }

  /**
   * Sends the hint of a run that has not committed yet, unless others are being sent: those that wait share theirs.
   * @returns whether it was sent, when that is known; null when it was not tried.
   */
  announceEarly(run: HintableRun): Promise<boolean> | null {
    const { queue, capacity } = this.#options;
    // Within a process a hint takes no time: it would always be too early.
    if (this.#sending !== null || !this.available || queue.backend === 'memory') return null;
    const { lanes } = capacity.current();
    const hints = toHints([run], (lane) => lanes.get(lane)).map((hint) => ({ ...hint, early: true }));
    const sent = this.#fire(hints, [run.traceContext]);
    this.#sending = sent.then(() => this.#sendWaiting());
    return sent;
  }

  /** Resolves when every hint announced so far was sent or given up, the one in place of an early hint that failed as well. */
  async drain(): Promise<void> {
    while (this.#sending !== null) await this.#sending;
  }

  async #sendWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const sent = this.#waiting;
      this.#waiting = [];
      const { lanes } = this.#options.capacity.current();
      const runs = sent.flatMap((announced) => announced.runs);
      const hints = toHints(runs, (lane) => lanes.get(lane));
      if (await this.#fire(hints, tracesOf(runs))) continue;
      const unmarked = sent.filter(({ storedAsDue }) => !storedAsDue);
      await this.#mark(unmarked.flatMap((announced) => announced.runs.map(({ runId }) => runId)));
    }
    this.#sending = null;
  }

  /** Stops the breaker's timers. */
  async close(): Promise<void> {
    await this.drain();
    this.#breaker.shutdown();
  }

  /** @returns whether the queue has taken them. */
  async #fire(hints: readonly Hint[], traces: Iterable<string | null | undefined>): Promise<boolean> {
    const { metrics, logger } = this.#options;
    const runs = hints.reduce((sum, { runIds }) => sum + runIds.length, 0);
    const span = startSharedSpan('publish hints', traces, {
      kind: 'producer',
      attributes: { 'spine.hints': hints.length, 'spine.runs': runs },
    });
    try {
      await this.#breaker.fire(hints);
      metrics.hints.inc({ event: 'published' }, hints.length);
      return true;
    } catch (error) {
      metrics.hints.inc({ event: 'failed' }, hints.length);
      span.fail(error instanceof Error ? error.name : 'Error');
      logger.debug({ err: error, hints: hints.length }, 'publishing hints failed');
      return false;
    } finally {
      span.end();
    }
  }

  async #mark(runIds: readonly string[]): Promise<void> {
    if (runIds.length === 0) return;
    const { db, logger } = this.#options;
    await markUnhinted(db, runIds).catch((cause: unknown) =>
      logger.debug({ err: cause }, 'marking unhinted runs failed'),
    );
  }
}
