/** The dispatcher: the one way in. Submits, waits for, reads, cancels, retries and replays runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever, isTerminal, NotFoundError } from '@spine/core';
import { cancelRun, getRun, listRuns } from '@spine/database';
import type { CancelOutcome, Db, RunFilter, RunPage, RunPageRequest, RunRecord } from '@spine/database';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { SubmitOutcome } from './outcome.ts';
import { replayDeadLetter, retryRun } from './rerun.ts';
import type { ReplayOutcome, RetryOutcome } from './rerun.ts';
import { Submitter } from './submitter.ts';
import type { SubmitOptions, SubmitterOptions } from './submitter.ts';

export interface DispatcherOptions extends SubmitterOptions {
  /** For reads and transactions. */
  readonly db: Db;
}

export interface WaitOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What {@link Dispatcher.submitAndWait} answers: the run, or the outcome that has none to wait for. */
export type SubmitAndWaitOutcome =
  | { readonly type: 'run'; readonly run: RunRecord }
  | Exclude<SubmitOutcome, { type: 'accepted' | 'existing' }>;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #submitter: Submitter;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#submitter = new Submitter(options);
  }

  /** Accepts one run. */
  submit(spec: WorkSpec, options: SubmitOptions = {}): Promise<SubmitOutcome> {
    return this.#submitter.submit(spec, options);
  }

  /** Accepts many runs; each has its own outcome, in order. */
  submitAll(specs: readonly WorkSpec[], options: SubmitOptions = {}): Promise<SubmitOutcome[]> {
    return Promise.all(specs.map((spec) => this.submit(spec, options)));
  }

  /** Submits and waits until the run is terminal, at most `timeoutMs`; answers with the run as it is then. */
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
      const signal = options.signal === undefined ? {} : { signal: options.signal };
      await sleep(Math.min(pause, left), undefined, signal);
    }
  }

  get(runId: string): Promise<RunRecord | null> {
    return getRun(this.#options.db, runId);
  }

  list(filter: RunFilter, page: RunPageRequest): Promise<RunPage> {
    return listRuns(this.#options.db, filter, page);
  }

  /** Cancels a run that is not finished; its handler learns of it with its worker's next heartbeat. */
  cancel(runId: string, reason: string | null = null, source = 'api'): Promise<CancelOutcome> {
    return cancelRun(this.#options.pool, runId, reason, source);
  }

  /** A new run with the work of one that ended without success. */
  retry(runId: string): Promise<RetryOutcome> {
    return retryRun(this.#options.db, this.#submitter, runId);
  }

  /** A new run for a pending dead letter, which it closes. `by` is who asked. */
  replay(deadLetterId: string, by: string, note: string | null = null): Promise<ReplayOutcome> {
    return replayDeadLetter(this.#options, deadLetterId, by, note);
  }

  /** Resolves when nothing submitted is still on its way to Postgres or to the queue. */
  async drain(): Promise<void> {
    await this.#submitter.drain();
    await this.#options.publisher.drain();
  }
}
