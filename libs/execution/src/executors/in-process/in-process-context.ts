/** What a handler sees in an in-process executor: the same as in a worker, recorded in memory. */
import { ConfigError, ErrorCategory, SpineError } from '@spine/core';
import type { Db, DbTransaction } from '@spine/database';
import { captureLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { SubmitOutcome } from '../../dispatch/outcome.ts';
import { PublishUnsupportedError } from '../../publish/published.ts';
import type { WorkSpec } from '../../spec/work-spec.ts';
import { AttemptContext } from '../../worker/attempt-context.ts';
import type { Attempt } from '../../worker/attempt.ts';
import type { RunSummary } from '../../worker/context.ts';
import type { Submission } from '../protocol.ts';
import type { Execution } from './execution.ts';

export interface InProcessServices {
  /** Gets what handlers log, beside the record of their run. */
  readonly logger: Logger;
  /** For `transaction`; null where there is no database. */
  readonly db: Db | null;
  /** Submits a child to the same executor. */
  readonly submit: (spec: WorkSpec) => Promise<Submission>;
  readonly summary: (runId: string) => RunSummary | null;
}

export class InProcessContext extends AttemptContext {
  readonly #execution: Execution;
  readonly #services: InProcessServices;

  constructor(attempt: Attempt, execution: Execution, services: InProcessServices) {
    super(attempt, services.logger);
    this.#execution = execution;
    this.#services = services;
  }

  async transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { db } = this.#services;
    if (db === null) throw new ConfigError('this executor was given no database for transactions');
    return db.transaction().execute(async (trx) => {
      const value = await work(trx);
      if (!this.#isCurrent) this.lost();
      return value;
    });
  }

  publish(): Promise<never> {
    return Promise.reject(new PublishUnsupportedError());
  }

  protected override childLogger(bindings: Readonly<Record<string, unknown>>): Logger {
    return captureLogger(this.#services.logger, {
      bindings,
      level: 'debug',
      onLine: (line) => this.#execution.log(line),
    });
  }

  protected append(type: string, data: string): Promise<'appended' | 'fenced'> {
    return Promise.resolve(this.#execution.append(this.run.epoch, type, JSON.parse(data)));
  }

  protected async submitChild(spec: WorkSpec): Promise<SubmitOutcome<RunSummary>> {
    if (!this.#isCurrent) return { type: 'fenced' };
    const submission = await this.#services.submit(spec);
    switch (submission.type) {
      case 'invalid':
      case 'unknown_handler':
        return submission;
      case 'rejected':
        throw new SpineError(`the executor takes no child run: ${submission.reason}`, {
          category: ErrorCategory.RESOURCE,
          retryable: true,
        });
      case 'accepted':
      case 'existing':
      case 'conflict': {
        const run = this.#services.summary(submission.ref.runId);
        if (run === null) return { type: 'fenced' };
        if (submission.type !== 'accepted') return { type: submission.type, run };
        const { runId, status, createdAt } = run;
        return { type: 'accepted', runId, status, createdAt, warnings: submission.warnings };
      }
    }
  }

  get #isCurrent(): boolean {
    return this.#execution.isHeldAt(this.run.epoch);
  }
}
