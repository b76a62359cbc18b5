/**
 * A worker: hints in, settled runs out.
 *
 * 1. It never executes more runs than it has slots. 2. Postgres is polled slowly as well, so that a dead queue costs
 * latency only. 3. Every run it executes is in its LeaseKeeper. 4. stop() claims nothing more, waits for what runs, and
 * hands back what does not finish, no attempt charged.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { newWorkerId } from '@spine/core';
import { appendAttemptEvents, GroupCommit, markWorkerStopped, registerWorker } from '@spine/database';
import type { ClaimedRun, Db, Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { HintConsumer, HintQueue } from '../queue/port.ts';
import { within } from '../queue/within.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { Attempt } from './attempt.ts';
import { Executor } from './executor.ts';
import type { ExecutedAttempt } from './executor.ts';
import { HintIntake } from './hint-intake.ts';
import { heartbeatPeriodMs, LeaseKeeper } from './lease-keeper.ts';
import { RunExchange } from './run-exchange.ts';
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
  /** Default a third of the lease, at most 10 s. */
  readonly heartbeatMs?: number;
  /** Pause between two looks into Postgres. Default 5 s. */
  readonly pollMs?: number;
  readonly version?: string;
}

/** Runs one poll claims at the most. */
const POLL_LIMIT = 500;
/** After the grace, how long interrupted attempts have to be settled. */
const HAND_BACK_MS = 3_000;

export class Worker {
  readonly workerId = newWorkerId();
  readonly #options: WorkerOptions;
  readonly #leaseMs: number;
  readonly #slots: Slots;
  readonly #leases: LeaseKeeper;
  readonly #exchange: RunExchange;
  readonly #executor: Executor;
  readonly #intake: HintIntake;
  readonly #consumers: HintConsumer[] = [];
  readonly #stopping = new AbortController();
  /** What brings runs: hints and the poll. */
  readonly #loops: Promise<void>[] = [];
  #heartbeats: Promise<void> = Promise.resolve();
  #handingBack = false;

  constructor(options: WorkerOptions) {
    const { pool, metrics, logger, queue, registry } = options;
    const { workerId } = this;
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? 30_000;
    this.#slots = new Slots(options.slots ?? 200);
    const leases = new LeaseKeeper({ pool, logger, workerId, leaseMs: this.#leaseMs });
    this.#leases = leases;
    const exchange = new RunExchange({
      pool,
      metrics,
      workerId,
      leaseMs: this.#leaseMs,
      handlers: registry.keys(),
      isHeld: (runId) => leases.has(runId),
    });
    this.#exchange = exchange;
    this.#executor = new Executor({
      ...options,
      settle: (item) => exchange.settle(item),
      events: new GroupCommit({
        flush: (events) => appendAttemptEvents(pool, events, `worker:${workerId}`),
        onFlush: metrics.commit('events'),
      }),
    });
    this.#intake = new HintIntake({
      queue,
      slots: this.#slots,
      stopping: this.#stopping.signal,
      logger,
      metrics,
      execute: (runId) => this.#claimAndExecute(runId),
    });
  }

  /** Runs held now. */
  get running(): number {
    return this.#leases.size;
  }

  get slots(): number {
    return this.#slots.total;
  }

  /** Registers the worker and starts to fetch. */
  async start(): Promise<void> {
    const { pool, registry, lanes, queue, version, logger } = this.#options;
    const { workerId, slots } = this;
    registry.check();
    await registerWorker(pool, {
      workerId,
      hostname: hostname(),
      pid: process.pid,
      version: version ?? '0.0.0',
      lanes,
      handlers: registry.keys(),
      slots,
    });
    for (const lane of lanes) {
      const consumer = queue.consume(lane);
      this.#consumers.push(consumer);
      this.#loops.push(this.#intake.run(lane, consumer));
    }
    this.#loops.push(this.#pollLoop());
    this.#heartbeats = this.#heartbeatLoop();
    logger.info({ worker_id: workerId, lanes, slots }, 'worker started');
  }

  /**
   * Stops claiming, waits up to `graceMs` for what runs, then hands the rest back. Resolves when everything is
   * settled or refused.
   */
  async stop(graceMs = 8_000): Promise<void> {
    if (this.#stopped) return;
    this.#stopping.abort();
    this.#slots.wake();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    // A claim under way may still win: only after these is everything held that will be.
    await Promise.all(this.#loops);
    await within(Math.max(graceMs, HAND_BACK_MS), this.#exchange.drain());
    await this.#idle(graceMs);
    this.#handingBack = true;
    this.#leases.interruptAll('shutdown');
    await this.#idle(HAND_BACK_MS);
    await this.#heartbeats;
    const { pool, logger } = this.#options;
    await markWorkerStopped(pool, this.workerId).catch((error: unknown) => {
      logger.warn({ err: error }, 'the worker row could not be closed');
    });
    logger.info({ worker_id: this.workerId }, 'worker stopped');
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Waits until nothing is held, at most `ms`. */
  async #idle(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (this.#leases.size > 0 && performance.now() < until) await sleep(20);
  }

  /** A slot was taken for this run; it is free again when the run turns out to be gone, or its handler ends. */
  async #claimAndExecute(runId: string): Promise<ExecutedAttempt | 'gone'> {
    let run: ClaimedRun | null;
    try {
      run = await this.#exchange.claim(runId);
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
    this.#leases.add(attempt);
    // Claimed before the stop, answered after everything else was handed back.
    if (this.#handingBack) attempt.interrupt('shutdown');
    let slotHeld = true;
    const onHandlerEnd = (): void => {
      if (this.#leases.size - this.#slots.used >= this.#slots.total) return;
      slotHeld = false;
      this.#slots.release();
    };
    try {
      return await this.#executor.execute(attempt, onHandlerEnd);
    } catch (error) {
      const { logger } = this.#options;
      logger.error(
        { err: error, run_id: run.runId },
        'an attempt could not be settled; its lease will run out',
      );
      throw error;
    } finally {
      attempt.end();
      if (slotHeld) this.#slots.release();
      this.#leases.remove(attempt);
    }
  }

  async #pollLoop(): Promise<void> {
    const { pollMs = 5_000, lanes, logger } = this.#options;
    while (!this.#stopped) {
      // Jitter keeps workers that started together from asking together.
      await this.#pause(pollMs * (0.9 + Math.random() * 0.2));
      const taken = this.#stopped ? 0 : this.#slots.take(POLL_LIMIT);
      if (taken === 0) continue;
      let used = 0;
      try {
        const claimed = await this.#exchange.claimOverdue(lanes, taken);
        used = claimed.length;
        // Each logs its own failure.
        for (const run of claimed) void this.#execute(run).catch(() => undefined);
      } catch (error) {
        logger.debug({ err: error }, 'polling Postgres failed');
      } finally {
        if (taken > used) this.#slots.release(taken - used);
      }
    }
  }

  async #heartbeatLoop(): Promise<void> {
    const { metrics, heartbeatMs = heartbeatPeriodMs(this.#leaseMs) } = this.#options;
    while (!this.#stopped || this.#leases.size > 0) {
      await this.#pause(heartbeatMs);
      metrics.slots.set({ state: 'used' }, this.#slots.used);
      metrics.slots.set({ state: 'total' }, this.#slots.total);
      await this.#leases.beat(this.#stopped ? 'draining' : 'active');
    }
  }

  /** Waits, or returns at once when the worker stops; while draining it waits in short steps. */
  async #pause(ms: number): Promise<void> {
    if (this.#stopped) await sleep(Math.min(ms, 250));
    else await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
