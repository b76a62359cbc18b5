/** The dispatcher: the one way in. Submits, waits for, reads, cancels, retries and replays runs. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { assertNever, handlerKey, isTerminal, NotFoundError } from '@spine/core';
import type { RunKind } from '@spine/core';
import {
  cancelRun,
  lookUpRun,
  pauseLane,
  pauseWithChildren,
  resumeLane,
  resumeWithChildren,
} from '@spine/database';
import type {
  CancelOutcome,
  NewRun,
  PauseOutcome,
  ResumeOutcome,
  RunFilter,
  RunListPage,
  RunPageRequest,
  RunRecord,
} from '@spine/database';
import { inSpan, isTracing } from '@spine/observability';
import { replayDeadLetter } from '../dead-letter/replay.ts';
import type { ReplayOutcome } from '../dead-letter/replay.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { cancelAll } from './cancel-all.ts';
import type { CancelAllOptions, CancelAllResult } from './cancel-all.ts';
import { isKnownHandler } from './known-handler.ts';
import type { SubmitOutcome } from './outcome.ts';
import { retryAll } from './retry-all.ts';
import type { RetryAllOptions, RetryAllResult } from './retry-all.ts';
import { retryRun } from './rerun.ts';
import type { RetryOutcome } from './rerun.ts';
import { RunLists } from './run-lists.ts';
import { Submitter } from './submitter.ts';
import type { PrepareOutcome, SubmitOptions, SubmitterOptions } from './submitter.ts';

export type DispatcherOptions = SubmitterOptions;

export interface WaitOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What {@link Dispatcher.submitAndWait} answers: the run, or the outcome that has none to wait for. */
export type SubmitAndWaitOutcome =
  | { readonly type: 'run'; readonly run: RunRecord }
  | Exclude<SubmitOutcome, { type: 'accepted' | 'existing' }>;

/** After so many specs the first ones are sent to Postgres, which stores them while the next are made into rows. */
const SUBMIT_SLICE = 500;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #submitter: Submitter;
  readonly #lists = new RunLists();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#submitter = new Submitter(options);
  }

  /** Accepts one run. */
  submit(spec: WorkSpec, options: SubmitOptions = {}): Promise<SubmitOutcome> {
    if (!isTracing()) return this.#submitter.submit(spec, options);
    const attributes = { 'spine.handler': handlerKey(spec.kind, spec.name) };
    return inSpan('submit', { kind: 'producer', attributes }, async (span) => {
      const outcome = await this.#submitter.submit(spec, options);
      span.set({ 'spine.outcome': outcome.type });
      if (outcome.type === 'accepted') span.set({ 'spine.run_id': outcome.runId });
      return outcome;
    });
  }

  /** The run a spec asks for, for whoever stores it in a transaction of its own and then announces it. */
  prepare(spec: WorkSpec, options: SubmitOptions = {}): Promise<PrepareOutcome> {
    return this.#submitter.prepare(spec, options);
  }

  /**
   * Whether anybody can execute runs of a handler: this process or a live worker, those that have just come among them.
   */
  async knows(kind: RunKind, name: string): Promise<boolean> {
    if (await isKnownHandler(this.#options, kind, name)) return true;
    await this.#options.capacity.refresh();
    return isKnownHandler(this.#options, kind, name);
  }

  /** Whether hints are sent; runs that are stored meanwhile are marked due instead. */
  get hinting(): boolean {
    return this.#options.publisher.available;
  }

  /**
   * Runs of {@link prepare} have committed.
   * @param hinted what {@link hinting} said when they were stored. @param held those that a worker has taken already.
   */
  announce(runs: readonly NewRun[], hinted: boolean, held?: ReadonlySet<string>): void {
    this.#submitter.announce(runs, hinted, held);
  }

  /** Accepts many runs; each has its own outcome, in order. */
  async submitAll(specs: readonly WorkSpec[], options: SubmitOptions = {}): Promise<SubmitOutcome[]> {
    const slices: Promise<SubmitOutcome[]>[] = [];
    for (let from = 0; from < specs.length; from += SUBMIT_SLICE) {
      if (from > 0) await nextTurn();
      const slice = specs.slice(from, from + SUBMIT_SLICE);
      const submitted = Promise.all(slice.map((spec) => this.submit(spec, options)));
      // Awaited below; one that fails before that must not count as unhandled.
      submitted.catch(() => undefined);
      slices.push(submitted);
    }
    return (await Promise.all(slices)).flat();
  }

  /** Submits and waits until the run is terminal, at most `timeoutMs`; answers with the run as {@link wait} does. */
  async submitAndWait(
    spec: WorkSpec,
    wait: WaitOptions = {},
    options: SubmitOptions = {},
  ): Promise<SubmitAndWaitOutcome> {
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
   * Waits until a run is terminal, at most `timeoutMs`; answers with the run as it is then, payloads included.
   * @throws NotFoundError for an unknown run; PayloadError when its params or its result cannot be had.
   */
  async wait(runId: string, options: WaitOptions = {}): Promise<RunRecord> {
    const until = performance.now() + (options.timeoutMs ?? 30_000);
    for (let pause = 5; ; pause = Math.min(pause * 1.6, 250)) {
      const run = await this.get(runId);
      if (run === null) throw new NotFoundError(`run ${runId} does not exist`);
      const left = until - performance.now();
      if (isTerminal(run.status) || left <= 0) return this.#options.payloads.load(run);
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      await sleep(Math.min(pause, left), undefined, signal);
    }
  }

  /** A run as its row has it: payloads outside of it are named, not read. */
  get(runId: string): Promise<RunRecord | null> {
    return lookUpRun(this.#options.pool, runId);
  }

  /** A run with its payloads. @throws PayloadError when one cannot be had. */
  async read(runId: string): Promise<RunRecord | null> {
    const run = await this.get(runId);
    return run === null ? null : this.#options.payloads.load(run);
  }

  list(filter: RunFilter, page: RunPageRequest): Promise<RunListPage> {
    const { db, pool } = this.#options;
    return this.#lists.list(db, pool, filter, page);
  }

  /** Cancels a run that is not finished, with all it has started; running handlers hear of it at once. */
  cancel(runId: string, reason: string | null = null, source = 'api'): Promise<CancelOutcome> {
    return this.#told(cancelRun(this.#options.db, runId, reason, source));
  }

  /** Cancels runs that match and have not ended, each with all it has started. */
  cancelAll(filter: RunFilter, options: CancelAllOptions): Promise<CancelAllResult> {
    return this.#told(cancelAll(this.#options.db, filter, options));
  }

  /**
   * Sets a run aside until it is resumed; a running attempt is interrupted and not charged. Of a workflow nothing more
   * starts, in the workflows below it either; steps that a worker has begun end.
   */
  pause(runId: string, reason: string | null = null, source = 'api'): Promise<PauseOutcome> {
    return this.#told(pauseWithChildren(this.#options.db, runId, reason, source));
  }

  /** Lets a paused run go on, and what was paused with it. The relay hints it within a second. */
  resume(runId: string, source = 'api'): Promise<ResumeOutcome> {
    return this.#told(resumeWithChildren(this.#options.db, runId, source));
  }

  /** Lets nothing of a lane start until it is resumed; what runs goes on. False when it was paused before. */
  pauseLane(lane: string, by: string, note: string | null = null): Promise<boolean> {
    return pauseLane(this.#options.pool, lane, by, note);
  }

  /** Lets a paused lane go on. False when it was not paused. */
  resumeLane(lane: string): Promise<boolean> {
    return resumeLane(this.#options.pool, lane);
  }

  /** A new run with the work of one that ended without success; a pending dead letter of it is closed by `by`. */
  retry(runId: string, by = 'api'): Promise<RetryOutcome> {
    return retryRun(this.#options, this.#submitter, runId, by);
  }

  /** New runs for those that match, ended without success and have not been retried. */
  retryAll(filter: RunFilter, options: RetryAllOptions): Promise<RetryAllResult> {
    return this.#told(retryAll(this.#options, filter, options));
  }

  /** A new run for a pending dead letter, which it closes. `by` is who asked. */
  replay(deadLetterId: string, by: string, note: string | null = null): Promise<ReplayOutcome> {
    return this.#told(replayDeadLetter(this.#options, deadLetterId, { by, note }));
  }

  /** Lets those who follow events hear of what `work` has committed. */
  async #told<T>(work: Promise<T>): Promise<T> {
    const outcome = await work;
    this.#options.eventSignal?.touch();
    return outcome;
  }

  /** Resolves when nothing submitted is still on its way to Postgres or to the queue. */
  async drain(): Promise<void> {
    await this.#submitter.drain();
    await this.#options.publisher.drain();
  }
}
