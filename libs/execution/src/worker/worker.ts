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
import {
  appendAttemptEvents,
  beginWorkflows,
  GroupCommit,
  markWorkerStopped,
  registerWorker,
} from '@spine/database';
import type { BeginningRun, BeginOutcome, ClaimedRun, Db, NewRun, Pool, Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { ControlFeed } from '../control/control-feed.ts';
import type { CapacityCache } from '../dispatch/capacity.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import type { Guards } from '../gates/guards.ts';
import { WorkerGates } from '../gates/worker-gates.ts';
import { RunLogWriter } from '../logs/run-log-writer.ts';
import type { Payloads } from '../payload/payloads.ts';
import type { EventSignal } from '../events/event-signal.ts';
import type { HintConsumer, HintQueue } from '../queue/port.ts';
import { within } from '../queue/within.ts';
import { checkIsolated } from '../executors/threads/thread-pool.ts';
import type { ThreadPool } from '../executors/threads/thread-pool.ts';
import { ENGINE_VERSION } from '../presence/version.ts';
import { Publisher } from '../publish/publisher.ts';
import type { PublishingOptions } from '../publish/publisher.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { Adopter } from './adopter.ts';
import type { Adoption, EagerStarter } from './adopter.ts';
import { AttemptRunner, isStillHeld, settleWhileHeld } from './attempt-runner.ts';
import { Executor } from './executor.ts';
import { listenToControl } from './control.ts';
import { HintIntake } from './hint-intake.ts';
import { heartbeatPeriodMs, LeaseKeeper } from './lease-keeper.ts';
import type { LocalWorkers } from './local-workers.ts';
import { PausedLanes } from './paused-lanes.ts';
import { RunExchange } from './run-exchange.ts';
import type { HandlerSecrets } from './secrets.ts';
import { Slots } from './slots.ts';

export interface WorkerOptions extends Guards {
  readonly pool: Queryable;
  /** For claims that may wait for one another. */
  readonly gatePool: Pool;
  /** For the hints of runs whose turn has come. */
  readonly publisher: HintPublisher;
  readonly db: Db;
  readonly queue: HintQueue;
  readonly dispatcher: Dispatcher;
  readonly payloads: Payloads;
  /** How many workers a lane has, for its share of runs that this process stores. */
  readonly capacity?: Pick<CapacityCache, 'current'> | undefined;
  /** Where this worker is found by whoever stores runs in this process. Without it all its runs come through the queue. */
  readonly localWorkers?: Pick<LocalWorkers, 'add'> | undefined;
  /** Whether a run that this process submits alone may start here without the queue (docs/workers.md). Default true. */
  readonly eagerStart?: boolean;
  /** Without it, cancels and pauses reach running handlers with the next heartbeat. */
  readonly control?: ControlFeed | undefined;
  /** Told of what was committed. */
  readonly eventSignal?: EventSignal | undefined;
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
  /** Calls isolated handlers; needed where the registry has some. The caller closes it, after stop(). */
  readonly threads?: ThreadPool;
  /** Least severe line of a handler that is stored with its run: a pino level. Default `info`; `silent` stores none. */
  readonly runLogLevel?: string;
  /** Default: the engine's. */
  readonly version?: string;
  readonly publishing?: PublishingOptions;
  /** What handlers get their secrets from. Default: none. */
  readonly secrets?: HandlerSecrets | undefined;
  /** Called when an operator asks this worker to stop: whoever owns the process ends it. Called more than once. */
  readonly onDrainRequested?: () => void;
  /**
   * Hands runs over whose workflows begin; default: `beginWorkflows`. A driver of this process advances them at once.
   * @throws what the database throws.
   */
  readonly begin?: (runs: readonly BeginningRun[], source: string) => Promise<readonly BeginOutcome[]>;
  /** Called when an attempt has ended and its settlement has committed or was given up. Must return at once. */
  readonly onEnded?: (run: ClaimedRun) => void;
}

/** Runs one poll claims at the most. */
const POLL_LIMIT = 500;
/**
 * A worker that the queue does not answer takes what the relay has hinted to others or to nobody, too: more than the
 * longest pause between two hints of one run. Else the relay, which looks more often, would put each run off again
 * before the poll sees it.
 */
const DEAF_AHEAD_MS = 120_000;
/** After the grace, how long interrupted attempts have to be settled. */
const HAND_BACK_MS = 3_000;

export class Worker implements EagerStarter {
  readonly workerId = newWorkerId();
  readonly #options: WorkerOptions;
  readonly #leaseMs: number;
  readonly #slots: Slots;
  readonly #leases: LeaseKeeper;
  readonly #exchange: RunExchange;
  readonly #gates: WorkerGates;
  readonly #runner: AttemptRunner;
  readonly #adopter: Adopter;
  readonly #intake: HintIntake;
  readonly #consumers: HintConsumer[] = [];
  readonly #pausedLanes: PausedLanes;
  #unsubscribe: () => void = () => undefined;
  #leaveProcess: () => void = () => undefined;
  readonly #stopping = new AbortController();
  /** What brings runs: hints and the poll. */
  readonly #loops: Promise<void>[] = [];
  #heartbeats: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    const { pool, metrics, logger, queue, registry } = options;
    const { workerId } = this;
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? 30_000;
    this.#slots = new Slots(options.slots ?? 200);
    const leases = new LeaseKeeper({
      pool,
      logger,
      metrics,
      workerId,
      leaseMs: this.#leaseMs,
      status: () => (this.#stopped ? 'draining' : 'active'),
      onDrain: () => this.#drainRequested(),
    });
    this.#leases = leases;
    const exchange = new RunExchange({
      pool,
      metrics,
      workerId,
      leaseMs: this.#leaseMs,
      handlers: registry.ungatedKeys(),
      eventSignal: options.eventSignal,
      isHeld: (runId) => leases.has(runId),
    });
    this.#exchange = exchange;
    this.#gates = new WorkerGates({
      ...options,
      workerId,
      leaseMs: this.#leaseMs,
      slots: this.#slots,
      unanswered: exchange.unanswered,
      mayStart: () => !this.#stopped && !leases.lapsed(),
      // Each logs its own failure.
      execute: (run, askedAt) => void this.#runner.execute(run, askedAt),
    });
    const { begin = (runs, source) => beginWorkflows(pool, runs, source) } = options;
    const beginnings = new GroupCommit<BeginningRun, BeginOutcome>({
      flush: async (runs) => {
        const outcomes = await begin(runs, `worker:${workerId}`);
        options.eventSignal?.touch();
        return outcomes;
      },
      onFlush: metrics.commit('begin_workflows'),
    });
    const executor = new Executor({
      ...options,
      begin: (run) => beginnings.submit(run),
      call: options.threads?.call,
      settle: settleWhileHeld(leases, exchange),
      source: `worker:${workerId}`,
      publications: new Publisher({
        ...options,
        source: `worker:${workerId}`,
        ...options.publishing,
        isHeld: (run) => isStillHeld(leases, run),
      }),
      events: new GroupCommit({
        flush: async (events) => {
          const outcomes = await appendAttemptEvents(pool, events, `worker:${workerId}`);
          options.eventSignal?.touch();
          return outcomes;
        },
        onFlush: metrics.commit('events'),
      }),
      logs: new RunLogWriter({ pool, metrics, level: options.runLogLevel }),
    });
    this.#runner = new AttemptRunner({
      slots: this.#slots,
      leases,
      exchange,
      gates: this.#gates,
      executor,
      workerId,
      logger,
      onEnded: options.onEnded,
    });
    this.#pausedLanes = new PausedLanes(pool);
    this.#intake = new HintIntake({
      pausedLanes: this.#pausedLanes,
      queue,
      slots: this.#slots,
      stopping: this.#stopping.signal,
      logger,
      metrics,
      execute: (runIds, gated, onEnd) => this.#runner.claimAndExecute(runIds, gated, onEnd),
    });
    this.#adopter = new Adopter({
      workerId,
      leaseMs: this.#leaseMs,
      lanes: options.lanes,
      handlers: registry.ungatedKeys(),
      slots: this.#slots,
      leases,
      runner: this.#runner,
      exchange,
      pausedLanes: this.#pausedLanes,
      waits: (lane) => this.#intake.waits(lane),
      eagerStart: options.eagerStart,
      capacity: options.capacity,
      logger,
      metrics,
    });
  }

  /** Runs held now. */
  get running(): number {
    return this.#leases.size;
  }

  get slots(): number {
    return this.#slots.total;
  }

  /** Attempts begun since the start. */
  get begun(): number {
    return this.#runner.begun;
  }

  /** Room for runs that this process is about to store, for those of them that may start here at once; null for none. */
  adopt(runs: readonly NewRun[]): Adoption | null {
    return this.#adopter.adopt(runs);
  }

  adoptSubmitted(run: NewRun): Adoption | null {
    return this.#adopter.adoptSubmitted(run);
  }

  /** Registers the worker and starts to fetch. */
  async start(): Promise<void> {
    const { pool, registry, lanes, queue, version, logger } = this.#options;
    const { workerId, slots } = this;
    registry.check();
    await checkIsolated(registry, this.#options.threads);
    await registerWorker(pool, {
      workerId,
      hostname: hostname(),
      pid: process.pid,
      version: version ?? ENGINE_VERSION,
      lanes,
      handlers: registry.keys(),
      slots,
    });
    this.#leases.begin();
    await this.#pausedLanes.refresh();
    this.#adopter.start();
    this.#leaveProcess = this.#options.localWorkers?.add(this) ?? this.#leaveProcess;
    this.#subscribe();
    for (const lane of lanes) {
      const consumer = queue.consume(lane);
      this.#consumers.push(consumer);
      this.#loops.push(this.#intake.run(lane, consumer));
    }
    this.#loops.push(this.#pollLoop());
    this.#heartbeats = this.#heartbeatLoop();
    logger.info({ worker_id: workerId, lanes, slots }, 'worker started');
  }

  #subscribe(): void {
    const { control, logger } = this.#options;
    if (control === undefined) return;
    this.#unsubscribe = listenToControl(control, {
      workerId: this.workerId,
      leases: this.#leases,
      pausedLanes: this.#pausedLanes,
      breakers: this.#options.breakers,
      logger,
      onDrain: () => this.#drainRequested(),
    });
  }

  #drainRequested(): void {
    if (!this.#stopped) this.#options.onDrainRequested?.();
  }

  /**
   * Stops claiming, waits up to `graceMs` for what runs, then hands the rest back. Resolves when everything is
   * settled or refused.
   */
  async stop(graceMs = 8_000): Promise<void> {
    if (this.#stopped) return;
    this.#stopping.abort();
    this.#options.metrics.draining.set(1);
    this.#leaveProcess();
    const adopted = this.#adopter.stop();
    this.#slots.wake();
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    // A claim under way may still win: only after these is everything held that will be.
    await Promise.all(this.#loops);
    await within(Math.max(graceMs, HAND_BACK_MS), adopted);
    // In this order: a claim without gates may be followed by one with gates, and never the other way round.
    await within(Math.max(graceMs, HAND_BACK_MS), this.#exchange.drain());
    await within(Math.max(graceMs, HAND_BACK_MS), this.#gates.drain());
    await this.#idle(graceMs);
    this.#runner.handBack();
    await this.#idle(HAND_BACK_MS);
    await within(HAND_BACK_MS, this.#intake.drain());
    await this.#heartbeats;
    await within(HAND_BACK_MS, this.#gates.stop());
    this.#unsubscribe();
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

  async #pollLoop(): Promise<void> {
    const { pollMs = 5_000, lanes, logger } = this.#options;
    while (!this.#stopped) {
      // Jitter keeps workers that started together from asking together.
      await this.#pause(pollMs * (0.9 + Math.random() * 0.2));
      const taken = this.#stopped ? 0 : this.#slots.take(POLL_LIMIT);
      if (taken === 0) continue;
      let left = taken;
      try {
        const aheadMs = this.#consumers.some((consumer) => consumer.deaf) ? DEAF_AHEAD_MS : 0;
        const due = await this.#exchange.overdue(lanes, left, aheadMs);
        left -= due.length;
        this.#runner.claimAndExecute(due, false, () => undefined);
        const gated = await this.#gates.overdue(lanes, left, aheadMs);
        left -= gated.length;
        this.#runner.claimAndExecute(gated, true, () => undefined);
      } catch (error) {
        logger.debug({ err: error }, 'polling Postgres failed');
      } finally {
        if (left > 0) this.#slots.release(left);
      }
    }
  }

  async #heartbeatLoop(): Promise<void> {
    const { metrics, heartbeatMs = heartbeatPeriodMs(this.#leaseMs) } = this.#options;
    while (!this.#stopped || this.#leases.size > 0) {
      await this.#pause(heartbeatMs);
      metrics.slots.set({ state: 'used' }, this.#slots.used);
      metrics.slots.set({ state: 'total' }, this.#slots.total);
      await this.#leases.beat();
      // Where nothing is listened to, or a notification was lost.
      if (this.#stopped) continue;
      await this.#pausedLanes.refresh().catch(() => undefined);
      await this.#options.breakers.refresh();
    }
  }

  /** Waits, or returns at once when the worker stops; while draining it waits in short steps. */
  async #pause(ms: number): Promise<void> {
    if (this.#stopped) await sleep(Math.min(ms, 250));
    else await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
