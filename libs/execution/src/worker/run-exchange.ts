/**
 * What a worker takes from Postgres and gives back: claims and settlements, by one group commit. What has ended since
 * the last commit and what the hints have brought travel together, so that a busy worker pays for one statement, one
 * round trip and one flush of the log where it would pay for two.
 */
import { claimOverdueRuns, exchangeRuns, GroupCommit, runsHeldBy } from '@spine/database';
import type { ClaimedRun, ClaimOptions, Queryable, SettleItem, SettleOutcome } from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { EventSignal } from '../events/event-signal.ts';
import { UnansweredClaims } from './unanswered-claims.ts';

export interface RunExchangeOptions extends ClaimOptions {
  readonly pool: Queryable;
  readonly metrics: Metrics;
  /** Told of what was committed. */
  readonly eventSignal?: EventSignal | undefined;
  /** Whether this worker executes the run already. */
  readonly isHeld: (runId: string) => boolean;
}

/** `at`: when it was asked for, by performance.now(). */
type Item =
  | { readonly type: 'claim'; readonly runId: string; readonly at: number }
  | { readonly type: 'settle'; readonly item: SettleItem; readonly at: number };

type Outcome =
  | { readonly type: 'claim'; readonly run: ClaimedRun | null }
  | { readonly type: 'settle'; readonly outcome: SettleOutcome };

export class RunExchange {
  readonly #options: RunExchangeOptions;
  readonly #source: string;
  readonly #commits: GroupCommit<Item, Outcome>;
  readonly #unanswered: UnansweredClaims;

  constructor(options: RunExchangeOptions) {
    this.#options = options;
    this.#unanswered = new UnansweredClaims(options);
    this.#source = `worker:${options.workerId}`;
    this.#commits = new GroupCommit<Item, Outcome>({
      flush: (items, info) => this.#flush(items, info.ambiguous),
      onFlush: options.metrics.commit('exchange'),
      // A settlement that is given up is a run that executes again: worth waiting out a database restart.
      retries: 30,
      // Two statements of one worker touch different runs: what it holds, and what no other statement has claimed.
      inFlight: 2,
    });
  }

  /** The run, now held by this worker; null when it is gone: claimed by another, finished, not due, not known here. */
  async claim(runId: string): Promise<ClaimedRun | null> {
    const answer = await this.#commits.submit({ type: 'claim', runId, at: performance.now() });
    return answer.type === 'claim' ? answer.run : null;
  }

  /** Those of the runs that their rows say this worker holds. */
  held(runIds: readonly string[]): Promise<readonly ClaimedRun[]> {
    return runsHeldBy(this.#options.pool, runIds, this.#options.workerId);
  }

  /** The same after an answer that was lost, without those that it executes or has executed. */
  findHeld(runIds: readonly string[]): Promise<readonly ClaimedRun[]> {
    return this.#unanswered.find(runIds);
  }

  /** Ends an attempt. */
  async settle(item: SettleItem): Promise<SettleOutcome> {
    const answer = await this.#commits.submit({ type: 'settle', item, at: performance.now() });
    return answer.type === 'settle' ? answer.outcome : 'fenced';
  }

  /** Up to `limit` runs of the lanes that no hint has brought to a worker in time. */
  async claimOverdue(
    lanes: readonly string[],
    limit: number,
    aheadMs: number,
  ): Promise<readonly ClaimedRun[]> {
    const claimed = await claimOverdueRuns(this.#options.pool, lanes, limit, this.#options, aheadMs);
    this.#options.metrics.claimed.inc(claimed.length);
    return claimed;
  }

  /** Resolves when no claim and no settlement is under way. */
  drain(): Promise<void> {
    return this.#commits.drain();
  }

  async #flush(items: readonly Item[], ambiguous: boolean): Promise<readonly Outcome[]> {
    const { pool, metrics } = this.#options;
    const runIds = items.flatMap((item) => (item.type === 'claim' ? [item.runId] : []));
    const settlements = items.flatMap((item) => (item.type === 'settle' ? [item.item] : []));
    const { settled, claimed } = await exchangeRuns(pool, settlements, runIds, {
      ...this.#options,
      source: this.#source,
    });
    this.#observe(items);
    if (claimed.length > 0 || settlements.length > 0) this.#options.eventSignal?.touch();
    const claims = new Map(claimed.map((run) => [run.runId, run]));
    if (ambiguous) for (const run of await this.#unanswered.find(runIds)) claims.set(run.runId, run);
    metrics.claimed.inc(claims.size);
    let settledSoFar = 0;
    return items.map((item): Outcome => {
      if (item.type === 'settle') {
        const outcome = settled[settledSoFar] ?? 'fenced';
        settledSoFar += 1;
        return { type: 'settle', outcome };
      }
      const run = claims.get(item.runId) ?? null;
      // Two hints may name one run; it is executed once.
      claims.delete(item.runId);
      return { type: 'claim', run };
    });
  }

  /** One claim and one settlement a statement, those that waited longest: a look at every item would cost too much. */
  #observe(items: readonly Item[]): void {
    const { claimSeconds, settleSeconds } = this.#options.metrics;
    const now = performance.now();
    const claim = items.find(({ type }) => type === 'claim');
    if (claim !== undefined) claimSeconds.observe((now - claim.at) / 1000);
    const settlement = items.find(({ type }) => type === 'settle');
    if (settlement !== undefined) settleSeconds.observe((now - settlement.at) / 1000);
  }
}
