/** The gates' side of a worker: claims of runs with gates, and word to those who wait when such a run has ended. */
import { decodeGates } from '@spine/database';
import type { ClaimedRun, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import type { BreakerRegistry } from '../policy/breaker-registry.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import type { AttemptOutcome } from '../worker/executor.ts';
import type { Slots } from '../worker/slots.ts';
import type { UnansweredClaims } from '../worker/unanswered-claims.ts';
import { Followers } from './followers.ts';
import { GatedClaims } from './gated-claims.ts';
import { LineWatch } from './line-watch.ts';

export interface WorkerGatesOptions {
  readonly gatePool: Pool;
  readonly publisher: HintPublisher;
  readonly breakers: BreakerRegistry;
  readonly registry: HandlerRegistry;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly lanes: readonly string[];
  readonly slots: Slots;
  /** Of all claims of this worker. */
  readonly unanswered: UnansweredClaims;
  /** False for a worker that stops, or may have lost its leases. */
  readonly mayStart: () => boolean;
  /** Executes a run and frees the slot that was taken for it. */
  readonly execute: (run: ClaimedRun, askedAt: number) => void;
}

export class WorkerGates {
  readonly #breakers: BreakerRegistry;
  readonly #watch: LineWatch;
  readonly #claims: GatedClaims;
  readonly #followers: Followers;

  constructor(options: WorkerGatesOptions) {
    this.#breakers = options.breakers;
    this.#watch = new LineWatch({ ...options, db: options.gatePool });
    const { gatePool: pool } = options;
    this.#claims = new GatedClaims({ ...options, pool, watch: this.#watch });
    this.#followers = new Followers({
      ...options,
      db: pool,
      handlers: this.#claims.handlers,
      withParams: this.#claims.withParams,
      gatesOf: (run) => this.#claims.gatesOf(run),
      onFree: (gates) => this.#watch.freed(gates),
    });
  }

  /** Whether a run that the claim without gates did not get may have gates by its handler. */
  get anyHandler(): boolean {
    return this.#claims.anyHandler;
  }

  /** The run, now held by this worker; null when a gate is shut or it is gone. */
  claim(runId: string): Promise<ClaimedRun | null> {
    return this.#claims.claim(runId);
  }

  /** Up to `limit` runs with gates that no hint has brought, to be claimed; before that, looks at the lines. */
  async overdue(lanes: readonly string[], limit: number, aheadMs: number): Promise<readonly string[]> {
    await this.#watch.sweep();
    return this.#claims.overdue(lanes, limit, aheadMs);
  }

  /** An attempt has ended, or could not be settled (null). */
  ended(run: ClaimedRun, outcome: AttemptOutcome | null): void {
    if (run.gates === null) return;
    const gates = decodeGates(run.gates) ?? [];
    this.#watch.freed(gates.filter(({ type }) => type === 'singleton'));
    this.#followers.freed(gates.flatMap(({ type, key }) => (type === 'concurrency' ? [key] : [])));
    for (const name of this.#claims.probesOf(run.runId)) void this.#tried(name, run.runId, outcome);
  }

  /** Resolves when no claim is under way. */
  async drain(): Promise<void> {
    await this.#followers.drain();
    await this.#claims.drain();
  }

  /** Sends what is still to be told, and watches no longer. */
  async stop(): Promise<void> {
    await this.#followers.drain();
    await this.#watch.stop();
  }

  /** A handler that called the dependency through its breaker has said so already; this is for those that did not. */
  async #tried(name: string, runId: string, outcome: AttemptOutcome | null): Promise<void> {
    switch (outcome) {
      case 'completed':
        await this.#breakers.ended(name, runId, true);
        break;
      case 'retry':
      case 'failed':
      case 'timed_out':
      case 'dead_lettered':
        await this.#breakers.ended(name, runId, false);
        break;
      case 'handed_back':
      case 'deferred':
      case 'fenced':
      case 'handed_over':
      case null:
        // It says nothing: the next may try at once.
        await this.#breakers.ended(name, runId, false, 0);
    }
    this.#watch.lookIn({ type: 'breaker', key: name }, 0);
  }
}
