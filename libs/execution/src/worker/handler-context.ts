/** What a handler sees of the engine, bound to one attempt: every write carries the attempt's epoch. */
import { asQueryable, attemptIsCurrent } from '@spine/database';
import type { AttemptEvent, Db, DbTransaction, GroupCommit } from '@spine/database';
import { captureLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { Guards } from '../gates/guards.ts';
import type { SubmitOutcome } from '../dispatch/outcome.ts';
import type { AttemptLog } from '../logs/attempt-log.ts';
import type { RunLogWriter } from '../logs/run-log-writer.ts';
import { AttemptPublishing } from '../publish/attempt-publishing.ts';
import type { Publication } from '../publish/publication.ts';
import { AlreadyPublishedError, PublishUnsupportedError } from '../publish/published.ts';
import type { Published } from '../publish/published.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import { AttemptContext } from './attempt-context.ts';
import type { Attempt } from './attempt.ts';
import type { HandlerSecrets } from './secrets.ts';

export type AttemptEventWriter = GroupCommit<AttemptEvent, 'appended' | 'fenced'>;

export interface ContextServices extends Guards {
  readonly db: Db;
  readonly logger: Logger;
  readonly events: AttemptEventWriter;
  /** Keeps what handlers log. */
  readonly logs: RunLogWriter;
  /** For child runs; a worker without one refuses them. */
  readonly dispatcher: Dispatcher;
  /** Without them, handlers that ask for a secret fail. */
  readonly secrets?: HandlerSecrets | undefined;
  /** Without one, handlers cannot publish. */
  readonly publications?: Publisher | undefined;
}

export class EngineContext extends AttemptContext {
  readonly #services: ContextServices;
  #runLog: AttemptLog | null = null;
  /** Made when it is asked for: most handlers never publish. */
  #publishing: AttemptPublishing | null = null;

  constructor(attempt: Attempt, services: ContextServices) {
    super(attempt, services.logger, services, services.secrets);
    this.#services = services;
  }

  /** Its publication, which the attempt's end closes; null while the handler has not asked for one. */
  get publishing(): AttemptPublishing | null {
    return this.#publishing;
  }

  /** What the handler has logged; null while it has not. */
  get runLog(): AttemptLog | null {
    return this.#runLog;
  }

  async transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    return this.#services.db.transaction().execute(async (trx) => {
      const value = await work(trx);
      if (!(await attemptIsCurrent(asQueryable(trx), this.run.runId, this.run.epoch))) this.lost();
      return value;
    });
  }

  async publish<T>(work: (publication: Publication) => Promise<T>): Promise<Published<T>> {
    const { publications } = this.#services;
    if (publications === undefined) throw new PublishUnsupportedError();
    this.#publishing ??= new AttemptPublishing(this.run.runId);
    return publications.publish(
      {
        attempt: this.attempt,
        info: this.run,
        publishing: this.#publishing,
        flushLog: async () => this.#runLog?.flush(),
        clean: (text) => this.scrubber.text(text),
      },
      work,
    );
  }

  protected override childLogger(bindings: Readonly<Record<string, unknown>>): Logger {
    const { logs, logger } = this.#services;
    if (!logs.enabled) return super.childLogger(bindings);
    const runLog = logs.open(this.run);
    this.#runLog = runLog;
    return captureLogger(logger, {
      bindings,
      level: logs.level,
      onLine: (line) => runLog.add(line),
      clean: (line) => this.scrubber.text(line),
    });
  }

  protected append(type: string, data: string): Promise<'appended' | 'fenced'> {
    const { runId, epoch } = this.run;
    return this.#services.events.submit({ runId, epoch, eventType: type, data });
  }

  protected override lost(): never {
    if (this.#publishing?.phase === 'published') throw new AlreadyPublishedError(this.run.runId);
    super.lost();
  }

  protected submitChild(spec: WorkSpec): Promise<SubmitOutcome> {
    return this.#services.dispatcher.submit(spec, { parentEpoch: this.run.epoch });
  }
}
