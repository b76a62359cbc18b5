/**
 * One lane's hints, fetched by hand.
 *
 * 1. One fetch at a time. 2. The lock of every delivered hint is renewed until it is finished, so that no other
 * worker gets it for nothing while its runs run. 3. A worker object that stays silent longer than any fetch may take
 * is thrown away and built anew: some do after a failover. 4. A hint taken by a fetch that nobody waits for any more is
 * given back: BullMQ ends such a fetch only when its wait is over. 5. The worker object outlives close() until the last
 * delivered hint is finished, because only it can finish them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { isUuid, newId } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { BullWorker, BullWorkerSettings, HintData } from './bullmq-backend.ts';
import type { Delivery, HintConsumer, HintReport } from './port.ts';
import { within } from './within.ts';

/** A hint whose consumer died is given back after this long. */
const LOCK_MS = 30_000;
const RENEW_MS = LOCK_MS / 3;
const RETRY_MS = 1_000;
const CLOSE_TIMEOUT_MS = 2_000;

/** How long a consumer waits. */
export interface FetchTimes {
  /** A fetch waits this long for a hint, in seconds. Default 5. */
  readonly idleSeconds: number;
  /** A fetch that answers nothing for this long has a dead connection. Longer than it may wait; default 20,000. */
  readonly silentMs: number;
}

const FETCH_TIMES: FetchTimes = { idleSeconds: 5, silentMs: 20_000 };

const SILENT = Symbol('silent');

export class BullHintConsumer implements HintConsumer {
  readonly #build: (settings: BullWorkerSettings) => BullWorker;
  readonly #logger: Logger;
  readonly #times: FetchTimes;
  readonly #locks = new Map<string, string>();
  readonly #closed = new AbortController();
  readonly #whenClosed: Promise<undefined>;
  readonly #renewal: NodeJS.Timeout;
  #worker: BullWorker;
  /** Hints delivered and not finished. */
  #unfinished = 0;
  #deaf = false;

  constructor(
    build: (settings: BullWorkerSettings) => BullWorker,
    logger: Logger,
    times: FetchTimes | undefined,
  ) {
    this.#build = build;
    this.#logger = logger;
    this.#times = times ?? FETCH_TIMES;
    this.#worker = this.#open();
    this.#whenClosed = new Promise((resolve) => {
      this.#closed.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    this.#renewal = setInterval(() => void this.#renew(), RENEW_MS);
  }

  get deaf(): boolean {
    return this.#deaf;
  }

  async next(): Promise<Delivery | null> {
    if (this.#closed.signal.aborted) return null;
    const token = newId();
    try {
      const job = await this.#fetch(token);
      if (job === undefined) return null;
      return this.#deliver(job, token);
    } catch (error) {
      if (this.#closed.signal.aborted) return null;
      this.#deaf = true;
      this.#logger.warn({ err: error }, 'fetching a hint failed');
      await sleep(RETRY_MS, undefined, { signal: this.#closed.signal }).catch(() => undefined);
      return null;
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#endIfDone();
  }

  async #endIfDone(): Promise<void> {
    if (!this.#closed.signal.aborted || this.#unfinished > 0) return;
    clearInterval(this.#renewal);
    await within(CLOSE_TIMEOUT_MS, this.#worker.close());
  }

  #open(): BullWorker {
    const worker = this.#build({ lockDuration: LOCK_MS, drainDelay: this.#times.idleSeconds });
    worker.on('error', (error) => this.#logger.debug({ err: error }, 'queue worker'));
    return worker;
  }

  async #fetch(token: string): Promise<Job<HintData, unknown> | undefined> {
    const worker = this.#worker;
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<typeof SILENT>((resolve) => {
      timer = setTimeout(() => resolve(SILENT), this.#times.silentMs);
    });
    const fetched = worker.getNextJob(token, { block: true });
    try {
      const answer = await Promise.race([fetched.then((job) => ({ job })), silent, this.#whenClosed]);
      if (typeof answer === 'object') {
        this.#deaf = false;
        return answer.job;
      }
      void fetched.then((job) => job?.moveToWait(token)).catch(() => undefined);
      if (answer !== SILENT) return undefined;
    } finally {
      clearTimeout(timer);
    }
    this.#deaf = true;
    this.#logger.warn('the queue has been silent; reconnecting');
    void within(CLOSE_TIMEOUT_MS, worker.close(true));
    this.#worker = this.#open();
    return undefined;
  }

  #deliver(job: Job<HintData, unknown>, token: string): Delivery {
    const id = job.id;
    if (id !== undefined) this.#locks.set(id, token);
    this.#unfinished += 1;
    let finished = false;
    return {
      runIds: runIdsOf(job.data),
      priority: Math.max(0, job.priority - 1),
      ...marksOf(job.data),
      finish: async (report) => {
        if (finished) return;
        finished = true;
        if (id !== undefined) this.#locks.delete(id);
        await this.#finish(job, token, report);
        this.#unfinished -= 1;
        await this.#endIfDone();
      },
    };
  }

  async #finish(job: Job<HintData, unknown>, token: string, report: HintReport): Promise<void> {
    try {
      if (report.failure === null) await job.moveToCompleted(report.outcomes, token, false);
      else await job.moveToFailed(new Error(report.failure), token, false);
    } catch (error) {
      // A flushed or restarted queue no longer knows the hint. Its runs are settled all the same.
      this.#logger.debug({ err: error, hint: job.id }, 'finishing a hint failed');
    }
  }

  async #renew(): Promise<void> {
    if (this.#locks.size === 0) return;
    try {
      await this.#worker.extendJobLocks([...this.#locks.keys()], [...this.#locks.values()], LOCK_MS);
    } catch (error) {
      this.#logger.debug({ err: error }, 'renewing hint locks failed');
    }
  }
}

function marksOf(data: unknown): Pick<Delivery, 'gated' | 'early'> {
  const { gated, early }: { readonly gated?: unknown; readonly early?: unknown } =
    typeof data === 'object' && data !== null ? data : {};
  return { gated: gated === true, early: early === true };
}

/** The ids of a hint; data that Spine did not write names no runs. */
function runIdsOf(data: unknown): readonly string[] {
  if (typeof data !== 'object' || data === null || !('run_ids' in data) || !Array.isArray(data.run_ids))
    return [];
  return data.run_ids.filter((id): id is string => typeof id === 'string' && isUuid(id));
}
