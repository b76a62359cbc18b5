/** The gates' side of a worker: claims of runs with gates, and word to those who wait when such a run has ended. */
import { decodeGates } from '@spine/database';
import type { ClaimedRun, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import type { BreakerRegistry } from '../policy/breaker-registry.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import type { AttemptOutcome } from '../worker/executor.ts';
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
  readonly isHeld: (runId: string) => boolean;
}

export class WorkerGates {
  readonly #breakers: BreakerRegistry;
  readonly #watch: LineWatch;
  readonly #claims: GatedClaims;

  constructor(options: WorkerGatesOptions) {
    this.#breakers = options.breakers;
    this.#watch = new LineWatch({ ...options, db: options.gatePool });
    this.#claims = new GatedClaims({ ...options, pool: options.gatePool, watch: this.#watch });
  }

  /** Whether a run that the claim without gates did not get may have gates by its handler. */
  get anyHandler(): boolean {
    return this.#claims.anyHandler;
  }

  /** The run, now held by this worker; null when a gate is shut or it is gone. */
  claim(runId: string): Promise<ClaimedRun | null> {
    return this.#claims.claim(runId);
  }

  /** Up to `limit` runs with gates that no hint has brought; before that, looks at the lines. */
  async claimOverdue(
    lanes: readonly string[],
    limit: number,
    aheadMs: number,
  ): Promise<readonly ClaimedRun[]> {
    await this.#watch.sweep();
    return this.#claims.claimOverdue(lanes, limit, aheadMs);
  }

  /** An attempt has ended, or could not be settled (null). */
  ended(run: ClaimedRun, outcome: AttemptOutcome | null): void {
    if (run.gates === null) return;
    const gates = decodeGates(run.gates) ?? [];
    this.#watch.freed(gates.filter(({ type }) => type === 'concurrency' || type === 'singleton'));
    for (const name of this.#claims.probesOf(run.runId)) void this.#tried(name, run.runId, outcome);
  }

  /** Resolves when no claim is under way. */
  drain(): Promise<void> {
    return this.#claims.drain();
  }

  /** Sends what is still to be told, and watches no longer. */
  stop(): Promise<void> {
    return this.#watch.stop();
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
