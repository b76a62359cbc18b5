/** What a handler sees, bound to one attempt: every write carries the attempt's epoch. */
import { asQueryable, attemptIsCurrent } from '@spine/database';
import type { AttemptEvent, Db, DbTransaction, GroupCommit } from '@spine/database';
import type { Logger } from '@spine/observability';
import { ValidationError } from '@spine/core';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { SubmitOutcome } from '../dispatch/outcome.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { AttemptAbortedError } from './abort.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptInfo, HandlerContext } from './context.ts';

export type AttemptEventWriter = GroupCommit<AttemptEvent, 'appended' | 'fenced'>;

export interface ContextServices {
  readonly db: Db;
  readonly logger: Logger;
  readonly events: AttemptEventWriter;
  /** For child runs; a worker without one refuses them. */
  readonly dispatcher: Dispatcher;
}

const EVENT_TYPE = /^[a-z][a-z0-9_.]{0,63}$/;
const PROGRESS_INTERVAL_MS = 1_000;

export class AttemptContext implements HandlerContext {
  readonly run: AttemptInfo;
  readonly #attempt: Attempt;
  readonly #services: ContextServices;
  #log: Logger | null = null;
  #progressAt = -Infinity;

  constructor(attempt: Attempt, services: ContextServices) {
    this.run = attempt.run;
    this.#attempt = attempt;
    this.#services = services;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get log(): Logger {
    this.#log ??= this.#services.logger.child({
      run_id: this.run.runId,
      attempt: this.run.attempt,
      lane: this.run.lane,
      handler: `${this.run.kind}:${this.run.name}`,
      ...(this.run.correlationId === null ? {} : { correlation_id: this.run.correlationId }),
    });
    return this.#log;
  }

  progress(fraction: number, message?: string): void {
    const now = performance.now();
    if (now - this.#progressAt < PROGRESS_INTERVAL_MS && fraction < 1) return;
    this.#progressAt = now;
    const clamped = Number.isFinite(fraction) ? Math.min(Math.max(fraction, 0), 1) : 0;
    this.event('progress', { fraction: clamped, ...(message === undefined ? {} : { message }) }).catch(
      (error: unknown) => {
        this.log.debug({ err: error }, 'progress was not recorded');
      },
    );
  }

  async event(type: string, data: Readonly<Record<string, unknown>> = {}): Promise<void> {
    if (!EVENT_TYPE.test(type))
      throw new ValidationError(`event type ${JSON.stringify(type)} must match ${EVENT_TYPE.source}`);
    const { runId, epoch } = this.run;
    const outcome = await this.#services.events.submit({
      runId,
      epoch,
      eventType: type,
      data: JSON.stringify(data),
    });
    if (outcome === 'fenced') {
      this.#attempt.interrupt('lost');
      throw new AttemptAbortedError('lost');
    }
  }

  submit(spec: WorkSpec): Promise<SubmitOutcome> {
    const { runId, epoch, correlationId } = this.run;
    return this.#services.dispatcher.submit(
      { triggerSource: 'parent', correlationId: correlationId ?? runId, ...spec, parentRunId: runId },
      { parentEpoch: epoch },
    );
  }

  async transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    return this.#services.db.transaction().execute(async (trx) => {
      const value = await work(trx);
      if (!(await attemptIsCurrent(asQueryable(trx), this.run.runId, this.run.epoch))) {
        this.#attempt.interrupt('lost');
        throw new AttemptAbortedError('lost');
      }
      return value;
    });
  }
}
