/**
 * A worker: hints in, settled runs out.
 *
 * 1. Slots are taken before a claim; a worker never executes more runs than it has slots, and fetches no hint while none
 *    is free.
 * 2. A hint is claimed as one set. What does not fit waits a moment for slots and is then hinted anew.
 * 3. Postgres is polled slowly as well, so that a dead queue costs latency only.
 * 4. Every run held is in `#held`, and every heartbeat extends all of them in one statement; a run missing from its
 *    answer is interrupted at once.
 * 5. stop() claims nothing more, waits for what runs, and hands back what does not finish, no attempt charged.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { newWorkerId } from '@spine/core';
import {
  appendAttemptEvents,
  claimOverdueRuns,
  claimRuns,
  GroupCommit,
  heartbeat,
  markWorkerStopped,
  registerWorker,
  runsHeldBy,
  settleRuns,
} from '@spine/database';
import type { ClaimedRun, ClaimOptions, Db, Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Delivery, HintConsumer, HintQueue } from '../queue/port.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { Attempt } from './attempt.ts';
import { Executor } from './executor.ts';
import type { AttemptOutcome, ExecutedAttempt } from './executor.ts';
import { Slots } from './slots.ts';

export interface WorkerOptions {
  readonly pool: Queryable;
  readonly db: Db;
  readonly queue: HintQueue;
  readonly dispatcher: Dispatcher;
  readonly registry: HandlerRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lanes: readonly string[];
  /** Runs at the same time. Default 200. */
  readonly slots?: number;
  /** Default 30 s. */
  readonly leaseMs?: number;
  /** Default a third of the lease. */
  readonly heartbeatMs?: number;
  /** Pause between two looks into Postgres. Default 5 s. */
  readonly pollMs?: number;
  readonly version?: string;
}

/** How long the rest of a hint waits for slots before it is hinted anew. */
const LEFTOVER_WAIT_MS = 200;

type Claim = ClaimedRun | null;

export class Worker {
  readonly workerId = newWorkerId();
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  readonly #claimOptions: ClaimOptions;
  readonly #claims: GroupCommit<string, Claim>;
  readonly #executor: Executor;
  readonly #held = new Map<string, Attempt>();
  readonly #consumers: HintConsumer[] = [];
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #beating: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#slots = new Slots(options.slots ?? 200);
    this.#claimOptions = {
      workerId: this.workerId,
      leaseMs: options.leaseMs ?? 30_000,
      handlers: options.registry.keys(),
    };
    const { pool, metrics } = options;
    const source = `worker:${this.workerId}`;
    this.#claims = new GroupCommit<string, Claim>({
      flush: (runIds, info) => this.#claim(runIds, info.ambiguous),
      onFlush: metrics.commit('claim'),
    });
    this.#executor = new Executor({
      ...options,
      settlements: new GroupCommit({
        flush: (items) => settleRuns(pool, items, { source }),
        onFlush: metrics.commit('settle'),
        // A settlement that is given up is a run that executes again: worth waiting out a database restart.
        retries: 30,
      }),
      events: new GroupCommit({
        flush: (events) => appendAttemptEvents(pool, events, source),
        onFlush: metrics.commit('events'),
      }),
    });
  }

  /** Runs held now. */
  get running(): number {
    return this.#held.size;
  }

  get slots(): number {
    return this.#slots.total;
  }

  /** Registers the worker and starts to fetch. */
  async start(): Promise<void> {
    const { pool, registry, lanes, queue, version } = this.#options;
    registry.check();
    await registerWorker(pool, {
      workerId: this.workerId,
      hostname: hostname(),
      pid: process.pid,
      version: version ?? '0.0.0',
      lanes,
      handlers: registry.keys(),
      slots: this.#slots.total,
    });
    for (const lane of lanes) {
      const consumer = queue.consume(lane);
      this.#consumers.push(consumer);
      this.#loops.push(this.#fetchLoop(lane, consumer));
    }
    this.#loops.push(this.#pollLoop(), this.#heartbeatLoop());
    this.#options.logger.info(
      { worker_id: this.workerId, lanes, slots: this.#slots.total },
      'worker started',
    );
  }

  /**
   * Stops claiming, waits up to `graceMs` for what runs, then hands the rest back. Resolves when everything is
   * settled or refused.
   */
  async stop(graceMs = 8_000): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#slots.wake();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#claims.drain();
    const until = performance.now() + graceMs;
    while (this.#held.size > 0 && performance.now() < until) await sleep(20);
    for (const attempt of this.#held.values()) attempt.interrupt('shutdown');
    const settled = performance.now() + 3_000;
    while (this.#held.size > 0 && performance.now() < settled) await sleep(20);
    await Promise.all(this.#loops);
    await this.#beating;
    await markWorkerStopped(this.#options.pool, this.workerId).catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'the worker row could not be closed');
    });
    this.#options.logger.info({ worker_id: this.workerId }, 'worker stopped');
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #fetchLoop(lane: string, consumer: HintConsumer): Promise<void> {
    while (!this.#stopped) {
      if (!(await this.#slots.whenFree(1_000))) continue;
      const delivery = await consumer.next();
      if (delivery !== null) await this.#accept(lane, delivery);
    }
  }

  /** Claims a hint's runs as slots allow; returns when the next hint may be fetched. */
  async #accept(lane: string, delivery: Delivery): Promise<void> {
    this.#options.metrics.hints.inc({ event: 'delivered' });
    const executed: Promise<ExecutedAttempt | 'gone'>[] = [];
    let left = delivery.runIds;
    while (left.length > 0) {
      const taken = this.#stopped ? 0 : this.#slots.take(left.length);
      for (const runId of left.slice(0, taken)) executed.push(this.#claimAndExecute(runId));
      left = left.slice(taken);
      if (left.length > 0 && (this.#stopped || !(await this.#slots.whenFree(LEFTOVER_WAIT_MS)))) break;
    }
    if (left.length > 0) await this.#giveBack(lane, delivery, left);
    void this.#report(delivery, executed, left.length);
  }

  async #giveBack(lane: string, delivery: Delivery, runIds: readonly string[]): Promise<void> {
    this.#options.metrics.hints.inc({ event: 'given_back' });
    const hint = {
      lane,
      priority: delivery.priority,
      runIds,
      label: `given back ×${runIds.length}`,
      delayMs: 0,
    };
    // The relay hints these runs again if this fails.
    await this.#options.queue.publish([hint]).catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'giving runs back to the queue failed');
    });
  }

  async #report(
    delivery: Delivery,
    executed: readonly Promise<ExecutedAttempt | 'gone'>[],
    givenBack: number,
  ): Promise<void> {
    const counts = new Map<string, number>();
    const count = (what: AttemptOutcome | 'gone' | 'given_back' | 'unknown', by = 1): void => {
      counts.set(what, (counts.get(what) ?? 0) + by);
    };
    let failure: string | null = null;
    for (const result of await Promise.allSettled(executed)) {
      if (result.status === 'rejected') count('unknown');
      else if (result.value === 'gone') count('gone');
      else {
        count(result.value.outcome);
        if (delivery.runIds.length === 1) failure = result.value.error;
      }
    }
    if (givenBack > 0) count('given_back', givenBack);
    await delivery.finish({ outcomes: Object.fromEntries(counts), failure });
  }

  /** A slot was taken for this run; it is free again when the run turns out to be gone, or its handler ends. */
  async #claimAndExecute(runId: string): Promise<ExecutedAttempt | 'gone'> {
    let run: Claim;
    try {
      run = await this.#claims.submit(runId);
    } catch (error) {
      this.#slots.release();
      throw error;
    }
    if (run !== null) return this.#execute(run);
    this.#slots.release();
    return 'gone';
  }

  /**
   * Executes a claimed run and frees its slot. The slot is free when the handler ends, so that the next claim overlaps
   * with the commit of this settlement; only when as many attempts as there are slots wait for their commit, it is kept
   * until this one is through.
   */
  async #execute(run: ClaimedRun): Promise<ExecutedAttempt> {
    const attempt = new Attempt(run);
    this.#held.set(run.runId, attempt);
    let slotHeld = true;
    const onHandlerEnd = (): void => {
      if (this.#held.size - this.#slots.used >= this.#slots.total) return;
      slotHeld = false;
      this.#slots.release();
    };
    try {
      return await this.#executor.execute(attempt, onHandlerEnd);
    } catch (error) {
      this.#options.logger.error(
        { err: error, run_id: run.runId },
        'an attempt could not be settled; its lease will run out',
      );
      throw error;
    } finally {
      attempt.end();
      if (slotHeld) this.#slots.release();
      if (this.#held.get(run.runId) === attempt) this.#held.delete(run.runId);
    }
  }

  async #claim(runIds: readonly string[], ambiguous: boolean): Promise<readonly Claim[]> {
    const { pool, metrics } = this.#options;
    const claimed = await claimRuns(pool, runIds, this.#claimOptions);
    if (ambiguous) {
      const held = await runsHeldBy(pool, runIds, this.workerId);
      claimed.push(
        ...held.filter(
          (run) => !this.#held.has(run.runId) && !claimed.some((other) => other.runId === run.runId),
        ),
      );
    }
    metrics.claimed.inc(claimed.length);
    const byId = new Map(claimed.map((run) => [run.runId, run]));
    return runIds.map((runId) => {
      const run = byId.get(runId) ?? null;
      // A hint may name a run twice; it is executed once.
      byId.delete(runId);
      return run;
    });
  }

  async #pollLoop(): Promise<void> {
    const { pollMs = 5_000, pool, lanes, logger, metrics } = this.#options;
    while (!this.#stopped) {
      await this.#pause(pollMs * (0.9 + Math.random() * 0.2));
      if (this.#stopped || this.#slots.free === 0) continue;
      const taken = this.#slots.take(Math.min(this.#slots.free, 500));
      let used = 0;
      try {
        const claimed = await claimOverdueRuns(pool, lanes, taken, this.#claimOptions);
        used = claimed.length;
        metrics.claimed.inc(used);
        for (const run of claimed) {
          // It logs its own failure.
          void this.#execute(run).catch(() => undefined);
        }
      } catch (error) {
        logger.debug({ err: error }, 'polling Postgres failed');
      } finally {
        if (taken > used) this.#slots.release(taken - used);
      }
    }
  }

  async #heartbeatLoop(): Promise<void> {
    const every = this.#options.heartbeatMs ?? this.#claimOptions.leaseMs / 3;
    while (!this.#stopped || this.#held.size > 0) {
      await this.#pause(every);
      this.#beating = this.#beat();
      await this.#beating;
    }
  }

  async #beat(): Promise<void> {
    const { pool, logger, metrics } = this.#options;
    metrics.slots.set({ state: 'used' }, this.#slots.used);
    metrics.slots.set({ state: 'total' }, this.#slots.total);
    const attempts = [...this.#held.values()];
    try {
      const alive = await heartbeat(pool, {
        workerId: this.workerId,
        leaseMs: this.#claimOptions.leaseMs,
        status: this.#stopped ? 'draining' : 'active',
        held: attempts.map(({ run }) => ({ runId: run.runId, epoch: run.epoch })),
      });
      for (const attempt of attempts) {
        // A run that settled while the statement was under way is missing too, and is no longer held.
        if (!alive.has(attempt.run.runId) && this.#held.get(attempt.run.runId) === attempt)
          attempt.interrupt('lost');
      }
    } catch (error) {
      logger.warn({ err: error }, 'heartbeat failed');
    }
  }

  /** Waits, or returns at once when the worker stops; while draining it waits in short steps. */
  async #pause(ms: number): Promise<void> {
    if (this.#stopped) await sleep(Math.min(ms, 250));
    else await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
