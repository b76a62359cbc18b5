/**
 * Publishing: the handler's rows, the ledger's rows, downstream runs and the run's own settlement in one transaction.
 *
 * 1. The settlement carries the attempt's epoch. When it is refused, everything is rolled back: an attempt that lost its
 *    run publishes nothing.
 * 2. The run's row is locked last, and for one round trip and the commit: heartbeats, cancels and the reaper wait for no
 *    handler. The lock on the parent comes before its children, as in a cancel.
 * 3. `work` is called once. What goes wrong is the attempt's error; its retry policy decides about another attempt.
 * 4. After a COMMIT without an answer the run's row decides, read behind its lock.
 * 5. A process that stands still in between loses its transaction: after a minute while it works, after seconds once it
 *    holds the run's row.
 * 6. A result outside of the row, params of downstream runs and the handler's log lines are stored before the commit.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlledTransaction } from 'kysely';
import { DatabaseConnectionError } from '@spine/core';
import { isCompletedAt, limitTransaction, settleInTransaction } from '@spine/database';
import type { ClaimedRun, Database, Db, Queryable, SettleOutcome } from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { EventSignal } from '../events/event-signal.ts';
import type { Payloads, StoredResult } from '../payload/payloads.ts';
import { within } from '../queue/within.ts';
import { AttemptAbortedError } from '../worker/abort.ts';
import type { Attempt } from '../worker/attempt.ts';
import { encodeResult } from '../worker/result.ts';
import type { AttemptInfo } from '../worker/context.ts';
import type { AttemptPublishing } from './attempt-publishing.ts';
import { DownstreamRuns } from './downstream.ts';
import { BoundPublication } from './publication.ts';
import type { Publication } from './publication.ts';
import { PublicationUnknownError, Published } from './published.ts';

/** Where a publication is; each is told before what follows it is begun. */
export type PublishStep = 'begun' | 'worked' | 'settled' | 'committed';

export interface PublishingOptions {
  /** Told of each step and waited for, so that a test can end the process in between. */
  readonly onStep?: ((step: PublishStep, runId: string) => Promise<void> | void) | undefined;
  /**
   * How often Postgres is asked what became of an unanswered COMMIT, before it is left to the run's lease. Default 30,
   * about a minute: as long as a settlement is tried.
   */
  readonly asks?: number | undefined;
}

export interface PublisherOptions extends PublishingOptions {
  /** For the transactions. */
  readonly db: Db;
  /** For the question that follows an unanswered COMMIT. */
  readonly pool: Queryable;
  readonly dispatcher: Dispatcher;
  readonly payloads: Payloads;
  readonly metrics: Metrics;
  readonly eventSignal?: EventSignal | undefined;
  /** Written as the source of the run's terminal event. */
  readonly source: string;
  /** Whether the attempt holds its run as far as this process knows; asks Postgres when the lease may be over. */
  readonly isHeld: (run: Pick<ClaimedRun, 'runId' | 'epoch'>) => Promise<boolean>;
}

/** What publishing needs to know of the attempt. */
export interface PublishingAttempt {
  readonly attempt: Attempt;
  readonly info: AttemptInfo;
  readonly publishing: AttemptPublishing;
  /** Writes what the handler has logged: once the run is settled its lines are refused. */
  readonly flushLog: () => Promise<void>;
  /** Takes out of a text what must not be kept of a run. */
  readonly clean: (text: string) => string;
}

type Transaction = ControlledTransaction<Database>;

/** While the handler works: its transaction may hold rows that others wait for. */
const WORKING = { lockTimeoutMs: 0, idleTimeoutMs: 60_000 } as const;
/** While the run's row is locked. */
const SETTLING = { lockTimeoutMs: 10_000, idleTimeoutMs: 5_000 } as const;
/** How long Postgres is waited for, once the run's row is locked. */
const ANSWER_MS = 10_000;
const DEFAULT_ASKS = 30;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #observe: (size: number, elapsedMs: number) => void;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#observe = options.metrics.commit('publish');
  }

  /**
   * Runs `work` in a transaction that settles the run.
   *
   * @throws what `work` throws, and what its statements do; AttemptAbortedError when the attempt is over or lost its run;
   * ValidationError for a result that cannot be stored; PublishError when it is called twice. Nothing was written then.
   * @throws PublicationUnknownError when COMMIT and every question after it went unanswered.
   */
  async publish<T>(
    of: PublishingAttempt,
    work: (publication: Publication) => Promise<T>,
  ): Promise<Published<T>> {
    const { attempt, info, publishing } = of;
    attempt.signal.throwIfAborted();
    publishing.begin();
    const downstream = new DownstreamRuns(info, this.#options.dispatcher, this.#options.payloads);
    const made: Made = { trx: null, resultRef: undefined };
    try {
      const value = await this.#publish(of, downstream, made, work);
      publishing.committed();
      return await this.#published(info, downstream, value);
    } catch (error) {
      if (publishing.phase === 'published') throw error;
      // Also where COMMIT may have happened: its connection has to be given up.
      if (made.trx !== null) await rollBack(made.trx);
      if (error instanceof PublicationUnknownError) {
        publishing.loseSight();
        throw error;
      }
      downstream.discard();
      this.#options.payloads.discard(info.runId, made.resultRef);
      publishing.rolledBack();
      attempt.isPublishing = false;
      throw error;
    }
  }

  async #publish<T>(
    { attempt, info, publishing, flushLog, clean }: PublishingAttempt,
    downstream: DownstreamRuns,
    made: Made,
    work: (publication: Publication) => Promise<T>,
  ): Promise<T> {
    made.trx = await this.#options.db.startTransaction().execute();
    await limitTransaction(made.trx, WORKING);
    await this.#step('begun', info);
    const publication = new BoundPublication(made.trx, info, downstream);
    const value = await work(publication).finally(() => publication.end());
    const result = await this.#store(info, value, clean);
    made.resultRef = 'resultRef' in result ? result.resultRef : undefined;
    await flushLog();
    publishing.check(attempt.reason);
    if (!(await this.#options.isHeld(info))) lost(attempt);
    await this.#step('worked', info);
    publishing.commit(attempt.reason);
    attempt.isPublishing = true;
    const started = performance.now();
    if ((await this.#settle(made.trx, info, result, downstream)) === 'fenced') lost(attempt);
    await this.#step('settled', info);
    await this.#commit(made.trx, info);
    this.#observe(1, performance.now() - started);
    return value;
  }

  /** @throws ValidationError for a result that cannot be stored; PayloadUnavailableError. */
  #store(
    { runId, epoch }: AttemptInfo,
    value: unknown,
    clean: PublishingAttempt['clean'],
  ): Promise<StoredResult> {
    const { payloads } = this.#options;
    const encoded = encodeResult(value, payloads.limits.maxBytes);
    if (encoded.isErr()) throw encoded.error;
    return payloads.stowResult(runId, epoch, encoded.value === null ? null : clean(encoded.value));
  }

  async #settle(
    trx: Transaction,
    { runId, epoch }: AttemptInfo,
    result: StoredResult,
    downstream: DownstreamRuns,
  ): Promise<SettleOutcome> {
    const { source, dispatcher } = this.#options;
    await answered(limitTransaction(trx, SETTLING));
    const item = { runId, epoch, settlement: { type: 'completed', ...result } } as const;
    const outcome = await answered(settleInTransaction(trx, item, { source }));
    if (outcome === 'settled') await answered(downstream.insert(trx, dispatcher.hinting));
    return outcome;
  }

  /** @throws what COMMIT threw, when nothing was committed; PublicationUnknownError. */
  async #commit(trx: Transaction, info: AttemptInfo): Promise<void> {
    try {
      await answered(trx.commit().execute());
    } catch (error) {
      if (!(await this.#isPublished(info))) throw error;
      void rollBack(trx);
    }
  }

  /** Whether a COMMIT that threw has happened all the same. */
  async #isPublished({ runId, epoch }: AttemptInfo): Promise<boolean> {
    const { pool, asks = DEFAULT_ASKS } = this.#options;
    for (let asked = 1; ; asked += 1) {
      try {
        return await isCompletedAt(pool, runId, epoch);
      } catch (cause) {
        if (asked >= asks) {
          throw new PublicationUnknownError(
            `COMMIT of the publication of run ${runId} went unanswered, and so did ${asks} questions about it`,
            { cause },
          );
        }
        await sleep(Math.min(50 * 2 ** asked, 2_000));
      }
    }
  }

  async #published<T>(info: AttemptInfo, downstream: DownstreamRuns, value: T): Promise<Published<T>> {
    await this.#step('committed', info);
    downstream.announce();
    this.#options.eventSignal?.touch();
    return new Published(info, value);
  }

  async #step(step: PublishStep, { runId }: AttemptInfo): Promise<void> {
    await this.#options.onStep?.(step, runId);
  }
}

/** What has to be undone when nothing commits. */
interface Made {
  trx: Transaction | null;
  resultRef: string | undefined;
}

function lost(attempt: Attempt): never {
  attempt.isPublishing = false;
  attempt.interrupt('lost');
  throw new AttemptAbortedError('lost');
}

/** @throws DatabaseConnectionError when Postgres does not answer in time; what was asked may still be carried out. */
async function answered<T>(asked: Promise<T>): Promise<T> {
  if (await within(ANSWER_MS, asked)) return asked;
  throw new DatabaseConnectionError(`Postgres has not answered a publication for ${ANSWER_MS} ms`);
}

/** Ends a transaction and gives its connection back, or up. Rejects never. */
async function rollBack(trx: Transaction): Promise<void> {
  await within(ANSWER_MS, trx.rollback().execute());
}
