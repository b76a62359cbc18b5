/** What every handler context has in common, whatever carries its writes. */
import type { ClaimedRun, DbTransaction } from '@spine/database';
import { activeTraceparent, captureLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import { ValidationError } from '@spine/core';
import type { SubmitOutcome } from '../dispatch/outcome.ts';
import type { Publication } from '../publish/publication.ts';
import type { Published } from '../publish/published.ts';
import { processGuards } from '../gates/guards.ts';
import type { Guards } from '../gates/guards.ts';
import type { HandlerLimits } from '../gates/limits.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { LIMITS } from '../spec/limits.ts';
import { AttemptAbortedError } from './abort.ts';
import type { Attempt } from './attempt.ts';
import type { AttemptInfo, ContextBreaker, HandlerContext, RunSummary } from './context.ts';
import { RunDeferredError } from './defer.ts';
import { PROGRESS_INTERVAL_MS } from './progress.ts';
import { encodeJson } from './result.ts';
import { Scrubber, scrubberOf } from './scrub.ts';
import { NO_SECRETS } from './secrets.ts';
import type { HandlerSecret, HandlerSecrets } from './secrets.ts';

const EVENT_TYPE = /^[a-z][a-z0-9_.]{0,63}$/;

/** What of a claimed run its handler sees: no engine field that it could come to depend on. */
export function attemptInfo(run: ClaimedRun): AttemptInfo {
  return {
    runId: run.runId,
    kind: run.kind,
    name: run.name,
    lane: run.lane,
    attempt: run.attempt,
    maxAttempts: run.maxAttempts,
    epoch: run.epoch,
    correlationId: run.correlationId,
    parentRunId: run.parentRunId,
    metadata: run.metadata,
    lastError: run.lastError,
  };
}

export abstract class AttemptContext implements HandlerContext {
  protected readonly attempt: Attempt;
  /** Knows the secrets that handlers were given here, and those of the attempt's params. */
  readonly scrubber: Scrubber;
  readonly #logger: Logger;
  readonly #guards: Guards | null;
  readonly #secrets: HandlerSecrets;
  /** Made when they are asked for: many handlers look at neither. */
  #run: AttemptInfo | null = null;
  #log: Logger | null = null;
  #progressAt = -Infinity;

  /** @param guards null for those of the process. */
  constructor(
    attempt: Attempt,
    logger: Logger,
    guards: Guards | null = null,
    secrets: HandlerSecrets = NO_SECRETS,
  ) {
    this.attempt = attempt;
    this.#logger = logger;
    this.#guards = guards;
    this.#secrets = secrets;
    this.scrubber = new Scrubber(scrubberOf(secrets));
  }

  get run(): AttemptInfo {
    this.#run ??= attemptInfo(this.attempt.run);
    return this.#run;
  }

  get signal(): AbortSignal {
    return this.attempt.signal;
  }

  get log(): Logger {
    this.#log ??= this.childLogger({
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
    const encoded = encodeJson(data, `the data of event ${type}`, LIMITS.eventBytes);
    if (encoded.isErr()) throw encoded.error;
    const kept = this.scrubber.text(encoded.value ?? '{}');
    if ((await this.append(type, kept)) === 'fenced') this.lost();
  }

  submit(spec: WorkSpec): Promise<SubmitOutcome<RunSummary>> {
    const { runId, correlationId } = this.run;
    return this.submitChild({
      triggerSource: 'parent',
      correlationId: correlationId ?? runId,
      ...spec,
      parentRunId: runId,
    });
  }

  defer(seconds: number, reason: string): never {
    throw new RunDeferredError(seconds * 1_000, reason);
  }

  breaker(name: string): ContextBreaker {
    const breaker = (this.#guards ?? processGuards()).breakers.get(name);
    return { fire: (call) => breaker.fire(this.run.runId, call) };
  }

  async secret(name: string): Promise<HandlerSecret> {
    const secret = await this.#secrets.resolveName(name);
    this.scrubber.share(secret.reveal());
    return secret;
  }

  get traceparent(): string | null {
    return activeTraceparent();
  }

  get limits(): HandlerLimits {
    return (this.#guards ?? processGuards()).limits;
  }

  abstract transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T>;

  abstract publish<T>(work: (publication: Publication) => Promise<T>): Promise<Published<T>>;

  /** What handlers log to: the log of the process, unless an executor keeps their lines too. */
  protected childLogger(bindings: Readonly<Record<string, unknown>>): Logger {
    return captureLogger(this.#logger, {
      bindings,
      level: 'silent',
      onLine: () => undefined,
      clean: (line) => this.scrubber.text(line),
    });
  }

  /** Appends an event, `data` as JSON text, while the attempt holds its run. */
  protected abstract append(type: string, data: string): Promise<'appended' | 'fenced'>;

  protected abstract submitChild(spec: WorkSpec): Promise<SubmitOutcome<RunSummary>>;

  /** Ends the attempt, which no longer holds its run. */
  protected lost(): never {
    this.attempt.interrupt('lost');
    throw new AttemptAbortedError('lost');
  }
}
