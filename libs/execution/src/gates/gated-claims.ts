/**
 * Claims of runs with gates, by a group commit of their own: one decision for all that came while the last was under way.
 *
 * 1. They have their own connections: a claim that waits for a key's lock must not hold up a heartbeat. 2. A key that
 * stays locked for seconds fails its claims, never the worker: those runs are hinted again. 3. What was refused because
 * of the time is looked at again at that time.
 */
import { claimGated, GroupCommit, isGateBusy, overdueGated } from '@spine/database';
import type { ClaimedRun, Gate, GatedCandidate, Pool } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HandlerRegistry } from '../registry/registry.ts';
import type { UnansweredClaims } from '../worker/unanswered-claims.ts';
import type { LineWatch } from './line-watch.ts';
import { gatesOfRun } from './resolve-gates.ts';

export interface GatedClaimsOptions {
  readonly pool: Pool;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly registry: HandlerRegistry;
  readonly watch: LineWatch;
  readonly unanswered: UnansweredClaims;
}

/** Runs of one decision: each keeps its keys locked for as long as the whole takes. */
const MOST_CLAIMED = 256;

export class GatedClaims {
  readonly #options: GatedClaimsOptions;
  readonly #commits: GroupCommit<string, ClaimedRun | null>;
  /** Keys of all handlers that this worker knows. */
  readonly handlers: readonly string[];
  /** Of those whose gates are made from params. */
  readonly withParams: readonly string[];
  readonly #gatedHandlers: readonly string[];
  /** Breakers that a run was let through to try, by run. */
  readonly #probes = new Map<string, readonly string[]>();

  constructor(options: GatedClaimsOptions) {
    this.#options = options;
    const { registry, metrics } = options;
    this.handlers = registry.keys();
    this.#gatedHandlers = registry.gatedKeys();
    this.withParams = registry
      .handlers()
      .filter(({ gates }) => gates?.readsParams === true)
      .map(({ key }) => key);
    this.#commits = new GroupCommit<string, ClaimedRun | null>({
      flush: (runIds, info) => this.#flush(runIds, info.ambiguous),
      maxItems: MOST_CLAIMED,
      // A claim that is given up may have been made, and costs its run a crash: worth waiting out a database restart.
      retries: 30,
      onFlush: metrics.commit('gated_claims'),
    });
  }

  /** Whether runs stored without gates may have some by their handler. */
  get anyHandler(): boolean {
    return this.#gatedHandlers.length > 0;
  }

  /** The run, now held by this worker; null when a gate is shut or it is gone. */
  claim(runId: string): Promise<ClaimedRun | null> {
    return this.#commits.submit(runId);
  }

  /** Up to `limit` runs with gates that no hint has brought to a worker in time, to be claimed. */
  overdue(lanes: readonly string[], limit: number, aheadMs: number): Promise<readonly string[]> {
    return overdueGated(this.#options.pool, lanes, this.handlers, this.#gatedHandlers, limit, aheadMs);
  }

  /** The breakers that this run was let through to try; told once. */
  probesOf(runId: string): readonly string[] {
    const names = this.#probes.get(runId) ?? [];
    this.#probes.delete(runId);
    return names;
  }

  /** Resolves when no claim is under way. */
  drain(): Promise<void> {
    return this.#commits.drain();
  }

  async #flush(runIds: readonly string[], ambiguous: boolean): Promise<readonly (ClaimedRun | null)[]> {
    const { unanswered, metrics } = this.#options;
    const claims = await unanswered.toExecute(await this.#claim(runIds), ambiguous ? runIds : []);
    metrics.claimed.inc(claims.size);
    return runIds.map((runId) => {
      const run = claims.get(runId) ?? null;
      // Two hints may name one run; it is executed once.
      claims.delete(runId);
      return run;
    });
  }

  async #claim(runIds: readonly string[]): Promise<readonly ClaimedRun[]> {
    const { pool, metrics, logger, workerId, leaseMs, watch } = this.#options;
    try {
      const { claimed, refused, probes, staleHolds, now } = await claimGated(pool, [...new Set(runIds)], {
        workerId,
        leaseMs,
        handlers: this.handlers,
        withParams: this.withParams,
        gatesOf: (candidate) => this.gatesOf(candidate),
      });
      for (const { gate, until } of refused) {
        metrics.gateRefusals.inc({ type: gate.type });
        if (until !== null) watch.lookIn(gate, until - now);
      }
      for (const [name, runId] of probes) this.#probes.set(runId, [...(this.#probes.get(runId) ?? []), name]);
      metrics.holdsReaped.inc(staleHolds);
      return claimed;
    } catch (error) {
      if (!isGateBusy(error)) throw error;
      logger.warn({ err: error, runs: runIds.length }, 'a gate stayed locked; its runs are hinted again');
      return [];
    }
  }

  /** The gates of a waiting run as they are now; null for those that cannot be read here. */
  gatesOf({ kind, name, lane, gates, params }: Omit<GatedCandidate, 'runId'>): readonly Gate[] | null {
    const handler = this.#options.registry.get(kind, name)?.gates ?? null;
    return gatesOfRun(gates, handler, { kind, name, lane, params });
  }
}
