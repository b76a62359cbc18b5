/**
 * The dispatcher: the one way in. Submits, reads, cancels, retries and replays runs.
 *
 * 1. A submission is accepted when its row and its `submitted` event have committed; hints follow, best effort.
 * 2. Expected outcomes are returned (`SubmitOutcome`), faults are thrown.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  assertNever,
  findJsonProblems,
  handlerKey,
  InvariantError,
  isRetryable,
  isTerminal,
  NotFoundError,
} from '@spine/core';
import type { RunStatus } from '@spine/core';
import {
  asQueryable,
  cancelRun,
  closeDeadLetter,
  getDeadLetter,
  getRun,
  GroupCommit,
  insertRuns,
  listRuns,
} from '@spine/database';
import type {
  CancelOutcome,
  Db,
  DeadLetter,
  InsertOutcome,
  NewRun,
  Queryable,
  RunFilter,
  RunPage,
  RunPageRequest,
  RunRecord,
} from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { HandlerRegistry } from '../registry/registry.ts';
import { checkRunAfter, checkSizes, newRun, specOfRun } from '../spec/new-run.ts';
import type { NewRunOptions, SpecIssue } from '../spec/new-run.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { CapacityCache } from './capacity.ts';
import type { HintPublisher } from './hint-publisher.ts';
import type { SubmitOutcome } from './outcome.ts';

export interface DispatcherOptions {
  /** For the hot path: prepared statements on pooled connections. */
  readonly pool: Queryable;
  /** For reads and transactions. */
  readonly db: Db;
  readonly registry: HandlerRegistry;
  readonly publisher: HintPublisher;
  readonly capacity: CapacityCache;
  readonly metrics: Metrics;
}

export interface SubmitOptions extends NewRunOptions {
  /** Accept a handler nobody knows yet, with a warning. Default false. */
  readonly allowUnknown?: boolean;
}

export interface WaitOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export type RetryOutcome =
  | { readonly type: 'retried'; readonly runId: string; readonly status: RunStatus; readonly createdAt: Date }
  | { readonly type: 'not_found' }
  /** Only a run that ended without success can be retried. */
  | { readonly type: 'not_retryable'; readonly status: RunStatus };

export type ReplayOutcome =
  | { readonly type: 'replayed'; readonly runId: string; readonly deadLetter: DeadLetter }
  | { readonly type: 'not_found' }
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #inserts: GroupCommit<NewRun, InsertOutcome>;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#inserts = new GroupCommit<NewRun, InsertOutcome>({
      flush: (runs, info) => this.#insert(runs, info.ambiguous),
      onFlush: options.metrics.commit('insert_runs'),
    });
  }

  /** Accepts one run. */
  async submit(spec: WorkSpec, options: SubmitOptions = {}): Promise<SubmitOutcome> {
    const issues = this.#checkParams(spec);
    if (issues.length > 0) return { type: 'invalid', issues };
    const key = handlerKey(spec.kind, spec.name);
    const known = await this.#isKnown(spec);
    if (!known && options.allowUnknown !== true) return { type: 'unknown_handler', handler: key };
    const run = newRun(spec, options);
    const tooLarge = checkSizes(run);
    if (tooLarge.length > 0) return { type: 'invalid', issues: tooLarge };
    const inserted = await this.#inserts.submit(run);
    const warnings = known ? [] : [`no live worker knows handler ${key}; the run waits for one that does`];
    return this.#outcome(run, inserted, warnings);
  }

  /** Accepts many runs; each has its own outcome, in order. */
  submitAll(specs: readonly WorkSpec[], options: SubmitOptions = {}): Promise<SubmitOutcome[]> {
    return Promise.all(specs.map((spec) => this.submit(spec, options)));
  }

  /**
   * Submits and waits until the run is terminal, at most `timeoutMs`; answers with the run as it is then. An outcome
   * that has no run to wait for is returned as it is.
   */
  async submitAndWait(
    spec: WorkSpec,
    wait: WaitOptions = {},
    options: SubmitOptions = {},
  ): Promise<
    | { readonly type: 'run'; readonly run: RunRecord }
    | Exclude<SubmitOutcome, { type: 'accepted' | 'existing' }>
  > {
    const outcome = await this.submit(spec, options);
    switch (outcome.type) {
      case 'accepted':
        return { type: 'run', run: await this.wait(outcome.runId, wait) };
      case 'existing':
        return { type: 'run', run: await this.wait(outcome.run.runId, wait) };
      case 'conflict':
      case 'invalid':
      case 'unknown_handler':
      case 'fenced':
        return outcome;
      default:
        return assertNever(outcome);
    }
  }

  /**
   * Waits until a run is terminal, at most `timeoutMs`; answers with the run as it is then.
   * @throws NotFoundError for an unknown run.
   */
  async wait(runId: string, options: WaitOptions = {}): Promise<RunRecord> {
    const until = performance.now() + (options.timeoutMs ?? 30_000);
    for (let pause = 5; ; pause = Math.min(pause * 1.6, 250)) {
      const run = await this.get(runId);
      if (run === null) throw new NotFoundError(`run ${runId} does not exist`);
      const left = until - performance.now();
      if (isTerminal(run.status) || left <= 0) return run;
      await sleep(
        Math.min(pause, left),
        undefined,
        options.signal === undefined ? {} : { signal: options.signal },
      );
    }
  }

  get(runId: string): Promise<RunRecord | null> {
    return getRun(this.#options.db, runId);
  }

  list(filter: RunFilter, page: RunPageRequest): Promise<RunPage> {
    return listRuns(this.#options.db, filter, page);
  }

  cancel(runId: string, reason: string | null = null, source = 'api'): Promise<CancelOutcome> {
    return cancelRun(this.#options.pool, runId, reason, source);
  }

  /** A new run with the work of one that ended without success. */
  async retry(runId: string): Promise<RetryOutcome> {
    const run = await this.get(runId);
    if (run === null) return { type: 'not_found' };
    if (!isRetryable(run.status)) return { type: 'not_retryable', status: run.status };
    const next = newRun({ ...specOfRun(run), triggerSource: 'retry' }, { retryOfRunId: run.runId });
    const inserted = await this.#inserts.submit(next);
    switch (inserted.type) {
      case 'inserted':
        return {
          type: 'retried',
          runId: inserted.runId,
          status: inserted.status,
          createdAt: inserted.createdAt,
        };
      case 'existing':
        return {
          type: 'retried',
          runId: inserted.run.runId,
          status: inserted.run.status,
          createdAt: inserted.run.createdAt,
        };
      case 'fenced':
        throw new InvariantError(`the retry of run ${runId} has no fence and was refused by one`);
      default:
        return assertNever(inserted);
    }
  }

  /** A new run for a pending dead letter, and the letter's closing, in one transaction. */
  async replay(deadLetterId: string, by: string, note: string | null = null): Promise<ReplayOutcome> {
    const { db, publisher, metrics } = this.#options;
    const letter = await getDeadLetter(db, deadLetterId);
    if (letter === null) return { type: 'not_found' };
    const original = await this.get(letter.runId);
    if (original === null) return { type: 'not_found' };
    const run = newRun({ ...specOfRun(original), triggerSource: 'replay' }, { retryOfRunId: letter.runId });
    const closed = await db.transaction().execute(async (trx) => {
      const done = await closeDeadLetter(trx, deadLetterId, {
        type: 'replayed',
        by,
        note,
        replayRunId: run.runId,
      });
      if (done !== null)
        await insertRuns(asQueryable(trx), [run], { ambiguous: false, hinted: publisher.available });
      return done;
    });
    if (closed === null) {
      return { type: 'already_resolved', deadLetter: (await getDeadLetter(db, deadLetterId)) ?? letter };
    }
    metrics.submitted.inc({ kind: run.kind });
    publisher.announce([{ ...run, delayMs: 0 }]);
    return { type: 'replayed', runId: run.runId, deadLetter: closed };
  }

  /** Resolves when nothing submitted is still on its way to Postgres or to the queue. */
  async drain(): Promise<void> {
    await this.#inserts.drain();
    await this.#options.publisher.drain();
  }

  async #insert(runs: readonly NewRun[], ambiguous: boolean): Promise<readonly InsertOutcome[]> {
    const { pool, publisher, metrics } = this.#options;
    const hinted = publisher.available;
    const outcomes = await insertRuns(pool, runs, { ambiguous, hinted });
    const inserted = runs.filter((_, index) => outcomes[index]?.type === 'inserted');
    for (const run of inserted) metrics.submitted.inc({ kind: run.kind });
    const now = Date.now();
    publisher.announce(
      inserted.map((run) => ({
        ...run,
        delayMs: run.runAfter === null ? 0 : Math.max(0, run.runAfter.getTime() - now),
      })),
      !hinted,
    );
    return outcomes;
  }

  #outcome(run: NewRun, inserted: InsertOutcome, warnings: readonly string[]): SubmitOutcome {
    switch (inserted.type) {
      case 'inserted':
        return {
          type: 'accepted',
          runId: inserted.runId,
          status: inserted.status,
          createdAt: inserted.createdAt,
          warnings,
        };
      case 'fenced':
        return { type: 'fenced' };
      case 'existing':
        // The same id is this very submission, whose first commit went unanswered.
        if (inserted.run.runId === run.runId) {
          return {
            type: 'accepted',
            runId: run.runId,
            status: inserted.run.status,
            createdAt: inserted.run.createdAt,
            warnings,
          };
        }
        return inserted.run.specHash === run.specHash
          ? { type: 'existing', run: inserted.run }
          : { type: 'conflict', run: inserted.run };
      default:
        return assertNever(inserted);
    }
  }

  /** Values no store takes, then the handler's own schema where this process knows it. */
  #checkParams(spec: WorkSpec): readonly SpecIssue[] {
    const problems = [
      ...checkRunAfter(spec),
      ...findJsonProblems(spec.params ?? {}).map((problem) => ({
        ...problem,
        field: under('params', problem.field),
      })),
      ...findJsonProblems(spec.metadata ?? {}).map((problem) => ({
        ...problem,
        field: under('metadata', problem.field),
      })),
    ];
    if (problems.length > 0) return problems;
    const handler = this.#options.registry.get(spec.kind, spec.name);
    if (handler === undefined) return [];
    const parsed = handler.parse(spec.params ?? {});
    return parsed.ok ? [] : parsed.issues;
  }

  async #isKnown(spec: WorkSpec): Promise<boolean> {
    if (this.#options.registry.get(spec.kind, spec.name) !== undefined) return true;
    const { handlers } = await this.#options.capacity.fresh();
    return handlers.has(handlerKey(spec.kind, spec.name));
  }
}

function under(root: string, path: string): string {
  if (path === '') return root;
  return path.startsWith('[') ? `${root}${path}` : `${root}.${path}`;
}
