/**
 * From a spec to a stored run.
 *
 * 1. A submission is accepted when its row and its `submitted` event have committed; hints follow, best effort.
 * 2. Expected outcomes are returned, faults are thrown.
 */
import { assertNever, handlerKey } from '@spine/core';
import type { RunKind } from '@spine/core';
import { GroupCommit, insertRuns, insertSingleton } from '@spine/database';
import type { Db, InsertInfo, InsertOutcome, NewRun, Queryable, RunRecord } from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { EventSignal } from '../events/event-signal.ts';
import type { Payloads } from '../payload/payloads.ts';
import type { HintableRun } from '../queue/chunk.ts';
import { EARLY_TRUSTED_MS } from '../queue/early.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { checkSpec } from '../spec/check-spec.ts';
import { checkSizes, newRun } from '../spec/new-run.ts';
import type { NewRunOptions } from '../spec/new-run.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { EagerStarter } from '../worker/adopter.ts';
import type { CapacityCache } from './capacity.ts';
import { EagerStarts } from './eager-starts.ts';
import type { EagerStart } from './eager-starts.ts';
import type { HintPublisher } from './hint-publisher.ts';
import { isKnownHandler } from './known-handler.ts';
import type { SubmitOutcome } from './outcome.ts';

export interface SubmitterOptions {
  /** For the hot path: prepared statements on pooled connections. */
  readonly pool: Queryable;
  /** For what needs a transaction of its own. */
  readonly db: Db;
  readonly registry: HandlerRegistry;
  readonly publisher: HintPublisher;
  readonly capacity: CapacityCache;
  readonly metrics: Metrics;
  /** Takes params that are too large for the row. */
  readonly payloads: Payloads;
  /** Told of what was committed. */
  readonly eventSignal?: EventSignal | undefined;
  /** The workers of this process, which may start a run that is submitted alone. Default none. */
  readonly localWorkers?: Pick<EagerStarter, 'adoptSubmitted'> | undefined;
}

export interface SubmitOptions extends NewRunOptions {
  /** Accept a handler nobody knows yet, with a warning; `unasked` without looking who knows it. Default false. */
  readonly allowUnknown?: boolean | 'unasked';
}

/** What {@link Submitter.prepare} answers. */
export type PrepareOutcome =
  | { readonly type: 'prepared'; readonly run: NewRun; readonly warnings: readonly string[] }
  | Extract<SubmitOutcome, { type: 'invalid' | 'unknown_handler' }>;

const NONE: ReadonlySet<string> = new Set();
const NO_WARNINGS: readonly string[] = [];

export class Submitter {
  readonly #options: SubmitterOptions;
  readonly #inserts: GroupCommit<NewRun, InsertOutcome>;
  readonly #eager: EagerStarts;

  constructor(options: SubmitterOptions) {
    this.#options = options;
    this.#eager = new EagerStarts(options.localWorkers);
    this.#inserts = new GroupCommit<NewRun, InsertOutcome>({
      flush: (runs, info) => this.#insert(runs, info.ambiguous),
      onGivenUp: (runs) => this.#eager.abandon(runs),
      onFlush: options.metrics.commit('insert_runs'),
    });
  }

  async submit(spec: WorkSpec, options: SubmitOptions): Promise<SubmitOutcome> {
    const prepared = this.#prepareAtOnce(spec, options) ?? (await this.#prepareAsking(spec, options));
    if (prepared.type !== 'prepared') return prepared;
    const { run, warnings } = prepared;
    return toOutcome(run, await this.store(run), warnings);
  }

  /** The run a spec asks for, which is not stored yet; or why there is none. */
  async prepare(spec: WorkSpec, options: SubmitOptions): Promise<PrepareOutcome> {
    return this.#prepareAtOnce(spec, options) ?? this.#prepareAsking(spec, options);
  }

  /** Without waiting for anybody; null for a handler that this process does not have, and has to ask for. */
  #prepareAtOnce(spec: WorkSpec, options: SubmitOptions): PrepareOutcome | null {
    const handler = this.#options.registry.get(spec.kind, spec.name);
    const issues = checkSpec(spec, handler);
    if (issues.length > 0) return { type: 'invalid', issues };
    if (handler === undefined && options.allowUnknown !== 'unasked') return null;
    return this.#prepared(newRun(spec, options, handler), NO_WARNINGS);
  }

  /** A spec that {@link #prepareAtOnce} has checked. */
  async #prepareAsking(spec: WorkSpec, options: SubmitOptions): Promise<PrepareOutcome> {
    const known = await isKnownHandler(this.#options, spec.kind, spec.name);
    const handler = handlerKey(spec.kind, spec.name);
    if (!known && options.allowUnknown !== true) return { type: 'unknown_handler', handler };
    const unknown = `no live worker knows handler ${handler}; the run waits for one that does`;
    return this.#prepared(newRun(spec, options), known ? NO_WARNINGS : [unknown]);
  }

  #prepared(run: NewRun, warnings: readonly string[]): PrepareOutcome {
    const tooLarge = checkSizes(run, this.#options.payloads.limits.maxBytes);
    return tooLarge.length > 0 ? { type: 'invalid', issues: tooLarge } : { type: 'prepared', run, warnings };
  }

  /**
   * Stores a run by group commit, its params outside of it when they are large, and announces it.
   * @throws PayloadUnavailableError when they cannot be stored; then nothing is.
   */
  store(run: NewRun): Promise<InsertOutcome> {
    return this.#options.payloads.isLarge(run.params) ? this.#storeLarge(run) : this.#storeRow(run);
  }

  async #storeLarge(run: NewRun): Promise<InsertOutcome> {
    const { payloads } = this.#options;
    const stowed = await payloads.stow(run);
    const outcome = await this.#storeRow(stowed);
    const isStored =
      outcome.type === 'inserted' || (outcome.type === 'existing' && outcome.run.runId === run.runId);
    if (!isStored) payloads.discard(run.runId, stowed.paramsRef);
    return outcome;
  }

  #storeRow(run: NewRun): Promise<InsertOutcome> {
    return run.singletonKey === null ? this.#inserts.submit(run) : this.#storeSingleton(run);
  }

  async #storeSingleton(run: NewRun): Promise<InsertOutcome> {
    const hinted = this.#options.publisher.available;
    const { outcome } = await insertSingleton(this.#options.db, run, { ambiguous: false, hinted });
    if (outcome.type === 'inserted') this.announce([run], hinted);
    return outcome;
  }

  /** Resolves when nothing is on its way to Postgres. */
  drain(): Promise<void> {
    return this.#inserts.drain();
  }

  async #insert(runs: readonly NewRun[], ambiguous: boolean): Promise<readonly InsertOutcome[]> {
    const { pool, publisher } = this.#options;
    const hinted = publisher.available;
    const eager = this.#eager.of(runs, ambiguous);
    if (eager !== null) return this.#insertEagerly(runs, { ambiguous, hinted }, eager);
    const from = performance.now();
    const inserting = insertRuns(pool, runs, { ambiguous, hinted });
    const early = ambiguous ? null : this.#hintEarly(runs);
    const outcomes = await inserting;
    const inTime = performance.now() - from < EARLY_TRUSTED_MS;
    const inserted = runs.filter((_, index) => outcomes[index]?.type === 'inserted');
    if (early === null) {
      this.announce(inserted, hinted);
      return outcomes;
    }
    this.#tell(inserted);
    // Nobody who submits waits for the queue.
    void early.then((isSent) => {
      if (!isSent || !inTime) this.#hint(inserted, hinted);
    });
    return outcomes;
  }

  /** Stores a lone run that a worker of this process has room for; it is hinted only when that did not get it. */
  async #insertEagerly(
    runs: readonly NewRun[],
    info: Pick<InsertInfo, 'ambiguous' | 'hinted'>,
    eager: EagerStart,
  ): Promise<readonly InsertOutcome[]> {
    let outcomes: readonly InsertOutcome[];
    try {
      outcomes = await insertRuns(this.#options.pool, runs, { ...info, claim: eager.claim });
    } catch (error) {
      eager.failed(error);
      throw error;
    }
    const starts = eager.answered(outcomes[0]);
    const inserted = outcomes[0]?.type === 'inserted' ? runs : [];
    if (starts) this.#tell(inserted);
    else this.announce(inserted, info.hinted);
    return outcomes;
  }

  /**
   * The hint of a lone run that may start at once is sent while its row is being stored: on an idle system a third of the
   * time until it starts. @returns whether it was sent; null when it was not tried.
   */
  #hintEarly(runs: readonly NewRun[]): Promise<boolean> | null {
    const [run] = runs;
    if (run === undefined || runs.length > 1 || run.runAfter !== null || run.gates !== null) return null;
    return this.#options.publisher.announceEarly(run);
  }

  /**
   * Tells the queue and the followers of events of runs that have committed.
   * @param hinted as they were stored. @param held those that need no hint.
   */
  announce(inserted: readonly NewRun[], hinted: boolean, held: ReadonlySet<string> = NONE): void {
    this.#tell(inserted);
    this.#hint(held.size === 0 ? inserted : inserted.filter(({ runId }) => !held.has(runId)), hinted);
  }

  /** Tells the followers of events. */
  #tell(inserted: readonly NewRun[]): void {
    const { metrics, eventSignal } = this.#options;
    if (inserted.length > 0) eventSignal?.touch();
    const counts = new Map<RunKind, number>();
    for (const { kind } of inserted) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [kind, count] of counts) metrics.submitted.inc({ kind }, count);
  }

  #hint(waiting: readonly NewRun[], hinted: boolean): void {
    const now = Date.now();
    this.#options.publisher.announce(
      waiting.map((run) => hintableRun(run, now)),
      !hinted,
    );
  }
}

/** What the queue is told of a run; most have nothing to wait for, and are it themselves. */
function hintableRun(run: NewRun, now: number): HintableRun {
  const { runAfter, gates } = run;
  if (runAfter === null && gates === null) return run;
  const { runId, kind, name, lane, priority, traceContext } = run;
  const delayMs = runAfter === null ? 0 : Math.max(0, runAfter.getTime() - now);
  return { runId, kind, name, lane, priority, traceContext, delayMs, gated: gates !== null };
}

function toOutcome(run: NewRun, stored: InsertOutcome, warnings: readonly string[]): SubmitOutcome {
  switch (stored.type) {
    case 'inserted':
      return acceptedAs(stored, warnings);
    case 'fenced':
      return { type: 'fenced' };
    case 'existing': {
      // The same id is this very submission, whose first commit went unanswered.
      if (stored.run.runId === run.runId) return acceptedAs(stored.run, warnings);
      return { type: stored.run.specHash === run.specHash ? 'existing' : 'conflict', run: stored.run };
    }
    default:
      return assertNever(stored);
  }
}

function acceptedAs(
  { runId, status, createdAt }: Pick<RunRecord, 'runId' | 'status' | 'createdAt'>,
  warnings: readonly string[],
): SubmitOutcome {
  return { type: 'accepted', runId, status, createdAt, warnings };
}
