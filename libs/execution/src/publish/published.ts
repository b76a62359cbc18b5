/** What publishing answers, and how it fails. Small on purpose: threads load it. */
import { ConfigError, ErrorCategory, SpineError } from '@spine/core';

/**
 * A run that is completed: what a handler returns after {@link HandlerContext.publish}. Only a publication makes one, and
 * only its own attempt may return it.
 */
export class Published<T> {
  readonly runId: string;
  readonly epoch: number;
  /** The run's result. */
  readonly value: T;
  /** Makes the type nominal: nothing else has its shape. */
  readonly #committed = true;

  constructor(run: { readonly runId: string; readonly epoch: number }, value: T) {
    this.runId = run.runId;
    this.epoch = run.epoch;
    this.value = value;
  }

  static is(value: unknown): value is Published<unknown> {
    return typeof value === 'object' && value !== null && #committed in value;
  }
}

/** `publish` was used in a way it cannot be: twice, inside itself, or after its attempt had ended. */
export class PublishError extends SpineError {
  static override readonly defaultCategory = ErrorCategory.INTERNAL;
}

/** This executor has no run that a transaction could settle. */
export class PublishUnsupportedError extends ConfigError {
  constructor() {
    super(
      'ctx.publish needs a worker: this executor keeps its runs where no transaction of Postgres settles them; use ctx.transaction',
    );
  }
}

/** The run is completed by its publication: the handler can record nothing more for it. */
export class AlreadyPublishedError extends PublishError {
  constructor(runId: string) {
    super(`run ${runId} is published: nothing can be recorded for it any more`);
  }
}

/** COMMIT went unanswered and Postgres could not be asked since; the run's lease decides. */
export class PublicationUnknownError extends SpineError {
  static override readonly defaultCategory = ErrorCategory.DATABASE;
  static override readonly defaultRetryable = true;
}
