/**
 * What a worker takes from Postgres and gives back: claims and settlements, by one group commit. What has ended since
 * the last commit and what the hints have brought travel together, so that a busy worker pays for one statement, one
 * round trip and one flush of the log where it would pay for two.
 */
import { exchangeRuns, GroupCommit, overdueRuns, runsHeldBy } from '@spine/database';
import type {
  ClaimedRun,
  ClaimOptions,
  Queryable,
  SettleItem,
  SettleOutcome,
  Settlement,
} from '@spine/database';
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

/** `at`: when it was asked for, by performance.now(). `answer` must not throw. */
type Item =
  | {
      readonly type: 'claim';
      readonly runId: string;
      readonly at: number;
      readonly answer: (run: ClaimedRun | null, runId: string) => void;
    }
  | {
      readonly type: 'settle';
      readonly item: SettleItem;
      readonly at: number;
      readonly answer: (outcome: SettleOutcome) => void;
    };

/** Of a settlement a word, of a claim the run. */
type Outcome = SettleOutcome | ClaimedRun | null;

/** One for all items: a closure for each would cost more than the item. */
function answer(outcome: Outcome, item: Item): void {
  if (item.type === 'settle') item.answer(outcome === 'settled' ? outcome : 'fenced');
  else item.answer(typeof outcome === 'string' ? null : outcome, item.runId);
}

export class RunExchange {
  readonly #options: RunExchangeOptions;
  readonly #source: string;
  readonly #commits: GroupCommit<Item, Outcome>;
  /** For whoever else claims for the same worker: what one has found another must not start. */
  readonly unanswered: UnansweredClaims;

  constructor(options: RunExchangeOptions) {
    this.#options = options;
    this.unanswered = new UnansweredClaims(options);
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
  claim(runId: string): Promise<ClaimedRun | null> {
    return new Promise((resolve, reject) => this.claimEach([runId], resolve, reject));
  }

  /** The same for many runs, without a promise for each: for each of them one of the two is called, which must not throw. */
  claimEach(
    runIds: readonly string[],
    onAnswer: (run: ClaimedRun | null, runId: string) => void,
    onError: (error: unknown) => void,
  ): void {
    const at = performance.now();
    for (const runId of runIds) {
      this.#commits.add({ type: 'claim', runId, at, answer: onAnswer }, answer, onError);
    }
  }

  /** Those of the runs that their rows say this worker holds. */
  held(runIds: readonly string[]): Promise<readonly ClaimedRun[]> {
    return runsHeldBy(this.#options.pool, runIds, this.#options.workerId);
  }

  /** The same at this epoch after an answer that was lost, without those that it executes or has executed. */
  findHeld(runIds: readonly string[], epoch: number): Promise<readonly ClaimedRun[]> {
    return this.unanswered.find(runIds, epoch);
  }

  /** Ends an attempt. */
  settle(item: SettleItem): Promise<SettleOutcome> {
    return new Promise((resolve, reject) => {
      this.#commits.add({ type: 'settle', item, at: performance.now(), answer: resolve }, answer, reject);
    });
  }

  /** Up to `limit` runs of the lanes that no hint has brought to a worker in time, to be claimed. */
  overdue(lanes: readonly string[], limit: number, aheadMs: number): Promise<readonly string[]> {
    const { pool, handlers } = this.#options;
    return overdueRuns(pool, lanes, handlers, limit, aheadMs);
  }

  /** Resolves when no claim and no settlement is under way. */
  drain(): Promise<void> {
    return this.#commits.drain();
  }

  async #flush(items: readonly Item[], ambiguous: boolean): Promise<readonly Outcome[]> {
    const { pool, metrics } = this.#options;
    const runIds: string[] = [];
    const settlements: SettleItem[] = [];
    for (const item of items) {
      if (item.type === 'claim') runIds.push(item.runId);
      else settlements.push(item.item);
    }
    const { settled, claimed } = await exchangeRuns(pool, settlements, runIds, {
      ...this.#options,
      source: this.#source,
    });
    this.#observe(items);
    if (claimed.length > 0 || settlements.length > 0) this.#options.eventSignal?.touch();
    const claims = await this.unanswered.toExecute(claimed, ambiguous ? runIds : []);
    // From here on nothing fails: what is counted is not sent again.
    metrics.claimed.inc(claims.size);
    this.#countSettled(settlements, settled);
    let settledSoFar = 0;
    return items.map((item) => {
      if (item.type === 'settle') return settled[settledSoFar++] ?? 'fenced';
      const run = claims.get(item.runId) ?? null;
      // Two hints may name one run; it is executed once.
      claims.delete(item.runId);
      return run;
    });
  }

  #countSettled(items: readonly SettleItem[], outcomes: readonly SettleOutcome[]): void {
    const { settled, deadLetters } = this.#options.metrics;
    const counts = new Map<Settlement['type'], number>();
    items.forEach(({ settlement: { type } }, index) => {
      if (outcomes[index] === 'settled') counts.set(type, (counts.get(type) ?? 0) + 1);
    });
    for (const [outcome, count] of counts) settled.inc({ outcome }, count);
    deadLetters.inc({ source: 'worker' }, counts.get('dead_lettered') ?? 0);
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
