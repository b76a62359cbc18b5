/**
 * The attempts of one tracked run: claimed, kept alive, executed and settled as a worker does it.
 *
 * 1. What is held is in the lease keeper from its claim to its settlement. 2. After standing still for longer than the
 * lease nothing is settled before a heartbeat was answered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { assertNever, invariant } from '@spine/core';
import { appendAttemptEvents, GroupCommit } from '@spine/database';
import type { ClaimedRun, Settlement, SettleItem, SettleOutcome } from '@spine/database';
import { RunLogWriter } from '../../logs/run-log-writer.ts';
import type { RetryPolicy } from '../../policy/retry-policy.ts';
import { HandlerRegistry } from '../../registry/registry.ts';
import { Attempt } from '../../worker/attempt.ts';
import type { AbortReason, HandlerContext } from '../../worker/context.ts';
import { Executor } from '../../worker/executor.ts';
import { heartbeatPeriodMs, LeaseKeeper } from '../../worker/lease-keeper.ts';
import { RunExchange } from '../../worker/run-exchange.ts';
import type { TrackedEngine } from './tracked.ts';

export interface TrackedAttemptsOptions<T> {
  readonly workerId: string;
  /** Handler key of the run. */
  readonly handler: string;
  readonly retry: RetryPolicy | null;
  readonly leaseMs: number;
  /** Null: a third of the lease. */
  readonly heartbeatMs: number | null;
  readonly work: (context: HandlerContext) => Promise<T> | T;
}

/** How an attempt ended. */
export type TrackedEnd<T> =
  | { readonly type: 'completed'; readonly value: T }
  | { readonly type: 'again'; readonly delayMs: number }
  /** It failed for good, or lost its run for this reason. */
  | { readonly type: 'over'; readonly reason: AbortReason };

export class TrackedAttempts<T> {
  readonly #engine: TrackedEngine;
  readonly #options: TrackedAttemptsOptions<T>;
  readonly #leases: LeaseKeeper;
  readonly #exchange: RunExchange;
  readonly #closing = new AbortController();
  readonly #heartbeats: Promise<void>;
  readonly #unsubscribe: () => void;
  #claimedAt = 0;

  constructor(engine: TrackedEngine, options: TrackedAttemptsOptions<T>) {
    const { pool, logger, metrics, control } = engine;
    const { workerId, leaseMs } = options;
    this.#engine = engine;
    this.#options = options;
    const leases = new LeaseKeeper({
      pool,
      logger,
      metrics,
      workerId,
      leaseMs,
      status: () => 'active',
      onDrain: () => undefined,
    });
    this.#leases = leases;
    this.#exchange = new RunExchange({
      pool,
      metrics,
      workerId,
      leaseMs,
      handlers: [options.handler],
      isHeld: (runId) => leases.has(runId),
    });
    this.#unsubscribe = control.subscribe({
      onMessage: (message) => {
        if (message.type === 'taken') leases.taken(message.runId, message.epoch, message.reason);
      },
      onReconnect: () => void leases.beat(),
    });
    this.#heartbeats = this.#beatUntilClosed();
  }

  /** The run, now held by this process; null when it may not start or somebody else has it. */
  claim(runId: string): Promise<ClaimedRun | null> {
    this.#claimedAt = performance.now();
    return this.#exchange.claim(runId);
  }

  /** Executes and settles one attempt. */
  async run(claimed: ClaimedRun): Promise<TrackedEnd<T>> {
    const attempt = new Attempt(claimed);
    this.#leases.add(attempt, this.#claimedAt);
    const made = new Made<T>();
    try {
      const { outcome } = await this.#executorFor(claimed, made).execute(attempt, () => undefined);
      return made.end(outcome === 'fenced', attempt.reason ?? 'lost');
    } finally {
      attempt.end();
      this.#leases.remove(attempt);
    }
  }

  interrupt(reason: AbortReason): void {
    this.#leases.interruptAll(reason);
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort();
    await this.#heartbeats;
    await this.#exchange.drain();
  }

  #executorFor({ kind, name }: ClaimedRun, made: Made<T>): Executor {
    const { workerId, retry, work } = this.#options;
    const { pool } = this.#engine;
    return new Executor({
      ...this.#engine,
      registry: new HandlerRegistry().register(
        kind,
        name,
        {
          description: 'A function of this process.',
          params: z.unknown(),
          ...(retry === null ? {} : { retry }),
        },
        async (_params, context) => made.returns(await work(context)),
      ),
      events: new GroupCommit({
        flush: (events) => appendAttemptEvents(pool, events, `worker:${workerId}`),
        onFlush: this.#engine.metrics.commit('events'),
      }),
      logs: new RunLogWriter({ pool, metrics: this.#engine.metrics }),
      settle: (item) => this.#settle(item, made),
      source: `worker:${workerId}`,
    });
  }

  async #settle(item: SettleItem, made: Made<T>): Promise<SettleOutcome> {
    made.settlement = item.settlement;
    if (this.#leases.lapsed(item.runId)) {
      await this.#leases.confirm(item.runId);
      if (!this.#leases.holds(item.runId, item.epoch)) return 'fenced';
    }
    return this.#exchange.settle(item);
  }

  async #beatUntilClosed(): Promise<void> {
    const { leaseMs, heartbeatMs } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(heartbeatMs ?? heartbeatPeriodMs(leaseMs), undefined, { signal }).catch(() => undefined);
      if (this.#leases.size > 0) await this.#leases.beat();
    }
  }
}

/** What one attempt made. Its own: a late attempt changes nothing of the next one's. */
class Made<T> {
  settlement: Settlement | null = null;
  #returned: { readonly value: T } | null = null;

  returns(value: T): T {
    this.#returned = { value };
    return value;
  }

  end(isFenced: boolean, reason: AbortReason): TrackedEnd<T> {
    if (isFenced || this.settlement === null) return { type: 'over', reason };
    switch (this.settlement.type) {
      case 'completed':
        invariant(this.#returned !== null, 'a function that did not return was completed');
        return { type: 'completed', value: this.#returned.value };
      case 'retry':
      case 'deferred':
        return { type: 'again', delayMs: this.settlement.delayMs };
      case 'failed':
      case 'timed_out':
      case 'dead_lettered':
      case 'handed_back':
        return { type: 'over', reason };
      default:
        return assertNever(this.settlement);
    }
  }
}
