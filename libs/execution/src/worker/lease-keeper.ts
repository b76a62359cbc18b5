/**
 * The runs a worker holds, and the heartbeat that keeps them.
 *
 * 1. One statement extends all leases. A run that is missing from its answer was taken away (reaped, cancelled), and its
 * attempt is interrupted at once.
 * 2. A lease is counted from before it was asked for, on the monotonic clock: it never ends earlier in Postgres than here.
 * 3. A worker that stood still for longer than a lease knows it by that clock, in whatever turn comes first. Until a
 * heartbeat has said what is left, nothing is started and nothing is settled. The fence would refuse it anyway; this
 * keeps a zombie from doing work that is somebody else's by now.
 */
import { heartbeat } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { Attempt } from './attempt.ts';
import type { AbortReason } from './context.ts';

export interface LeaseKeeperOptions {
  readonly pool: Queryable;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly workerId: string;
  readonly leaseMs: number;
  /** What the heartbeat says of the worker. */
  readonly status: () => 'active' | 'draining';
  /** Called with every heartbeat that finds that somebody asked this worker to stop. */
  readonly onDrain: () => void;
}

interface Held {
  readonly attempt: Attempt;
  /** When its lease ends at the earliest. */
  until: number;
}

const MAX_HEARTBEAT_MS = 10_000;
/** A heartbeat under way may have been sent before an attempt was added; the one after it was not. */
const BEATS_TO_CONFIRM = 2;

/** A third of the lease; however long that is, a worker has to be heard of to count as live. */
export function heartbeatPeriodMs(leaseMs: number): number {
  return Math.min(leaseMs / 3, MAX_HEARTBEAT_MS);
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #held = new Map<string, Held>();
  /** When the last heartbeat that was answered was sent. */
  #provenAt = performance.now();
  #beating: Promise<void> | null = null;
  #inLapse = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** The worker has just been registered: nothing has lapsed before. */
  begin(): void {
    this.#provenAt = performance.now();
  }

  get size(): number {
    return this.#held.size;
  }

  has(runId: string): boolean {
    return this.#held.has(runId);
  }

  /**
   * Keeps a run from now on. An older attempt of it has lost it, and no heartbeat would tell it any more.
   *
   * @param askedAt when its claim was sent, by performance.now().
   */
  add(attempt: Attempt, askedAt = performance.now()): void {
    const { runId } = attempt.run;
    this.#held.get(runId)?.attempt.interrupt('lost');
    this.#held.set(runId, { attempt, until: askedAt + this.#options.leaseMs });
  }

  /** Forgets an attempt; a newer one of the same run stays. */
  remove(attempt: Attempt): void {
    if (this.#held.get(attempt.run.runId)?.attempt === attempt) this.#held.delete(attempt.run.runId);
  }

  /** An attempt of this run below `epoch` has lost it. */
  taken(runId: string, epoch: number, reason: AbortReason): void {
    const attempt = this.#held.get(runId)?.attempt;
    if (attempt !== undefined && attempt.run.epoch < epoch) attempt.interrupt(reason);
  }

  interruptAll(reason: AbortReason): void {
    for (const { attempt } of this.#held.values()) attempt.interrupt(reason);
  }

  /** Whether a lease may have ended unnoticed: that of a run, or any of this worker's. */
  lapsed(runId?: string): boolean {
    const now = performance.now();
    if (now - this.#provenAt > this.#options.leaseMs) return true;
    const held = runId === undefined ? undefined : this.#held.get(runId);
    return held !== undefined && held.until <= now;
  }

  /**
   * Sends a heartbeat after a lapse, and resolves when it was answered: attempts that have lost their run are interrupted
   * then. Resolves as well when Postgres cannot be asked, because what comes next asks it anyway.
   */
  async confirm(runId?: string): Promise<void> {
    this.#noteLapse();
    for (let beats = 0; beats < BEATS_TO_CONFIRM && this.lapsed(runId); beats += 1) await this.beat();
  }

  /** Extends every lease and the worker's own row. A failed beat is logged; the next one is due before a lease ends. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  /** Whether an attempt still holds its run as far as this worker knows. */
  holds(runId: string, epoch: number): boolean {
    const attempt = this.#held.get(runId)?.attempt;
    if (attempt?.run.epoch !== epoch) return false;
    return attempt.reason !== 'lost' && attempt.reason !== 'cancelled' && attempt.reason !== 'paused';
  }

  async #beat(): Promise<void> {
    const { pool, logger, workerId, leaseMs, status, onDrain } = this.#options;
    const asked = [...this.#held.values()];
    const sentAt = performance.now();
    try {
      const { held, drain } = await heartbeat(pool, {
        workerId,
        leaseMs,
        status: status(),
        held: asked.map(({ attempt: { run } }) => ({ runId: run.runId, epoch: run.epoch })),
      });
      this.#provenAt = sentAt;
      this.#inLapse = false;
      for (const each of asked) {
        const { attempt } = each;
        const { runId } = attempt.run;
        if (held.has(runId)) each.until = sentAt + leaseMs;
        // A run that settled while the statement was under way is missing too, and is no longer held.
        else if (this.#held.get(runId) === each) attempt.interrupt('lost');
      }
      if (drain) onDrain();
    } catch (error) {
      logger.warn({ err: error }, 'heartbeat failed');
    }
  }

  #noteLapse(): void {
    if (this.#inLapse) return;
    this.#inLapse = true;
    const { metrics, logger, leaseMs } = this.#options;
    metrics.lapses.inc();
    logger.warn(
      {
        lease_ms: leaseMs,
        since_heartbeat_ms: Math.round(performance.now() - this.#provenAt),
        held: this.size,
      },
      'this worker stood still for longer than its leases; nothing is started or settled before the next heartbeat',
    );
  }
}
