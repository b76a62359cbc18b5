import { ValidationError } from '../errors/permanent.ts';
import { newRunId, type RunId } from '../ids.ts';
import type { JsonObject } from '../json/json-value.ts';

export interface NewExecution {
  /** Default: a new one. */
  readonly executionId?: RunId;
  /** The executions above, the outermost first. Default none. */
  readonly ancestors?: readonly RunId[];
  /** Default null. */
  readonly batchId?: string | null;
  /** The workflow or operation that is carried out. Default null. */
  readonly workflow?: string | null;
  readonly startedAt: Date;
}

/**
 * Who does a piece of work, for whom, and together with what: carried through functions so that every row they write
 * can say where it comes from. Immutable; each method gives a new context and leaves this one as it is.
 */
export class ExecutionContext {
  /** The id of the run that carries this out. */
  readonly executionId: RunId;
  /** The executions above, the outermost first; empty for a root. */
  readonly ancestors: readonly RunId[];
  /** What related executions share; null for one that stands alone. */
  readonly batchId: string | null;
  readonly workflow: string | null;
  /** ISO 8601 in UTC: a Date could be changed. */
  readonly startedAt: string;

  private constructor(given: NewExecution) {
    this.executionId = given.executionId ?? newRunId();
    this.ancestors = Object.freeze([...(given.ancestors ?? [])]);
    this.batchId = given.batchId ?? null;
    this.workflow = given.workflow ?? null;
    this.startedAt = instant(given.startedAt);
    if (new Set(this.lineage).size !== this.lineage.length) {
      throw new ValidationError(
        `execution_id: ${this.executionId} is among its own ancestors, or one of them occurs twice`,
        { issues: [{ field: 'execution_id', code: 'circular', message: 'must not be its own ancestor' }] },
      );
    }
    Object.freeze(this);
  }

  /** Throws ValidationError for an invalid date and for an execution that is its own ancestor. */
  static create(given: NewExecution): ExecutionContext {
    return new ExecutionContext(given);
  }

  /** Null for a root. */
  get parentExecutionId(): RunId | null {
    return this.ancestors.at(-1) ?? null;
  }

  get rootExecutionId(): RunId {
    return this.ancestors[0] ?? this.executionId;
  }

  /** From the outermost execution to this one. */
  get lineage(): readonly RunId[] {
    return [...this.ancestors, this.executionId];
  }

  /** 0 for a root. */
  get depth(): number {
    return this.ancestors.length;
  }

  /** A new execution below this one, in the same batch; the workflow is this one's unless another is named. */
  child(below: {
    readonly startedAt: Date;
    readonly executionId?: RunId;
    readonly workflow?: string;
  }): ExecutionContext {
    return new ExecutionContext({
      batchId: this.batchId,
      workflow: this.workflow,
      ...below,
      ancestors: this.lineage,
    });
  }

  /** The same execution as part of a batch. Throws ValidationError for an empty name. */
  withBatch(batchId: string): ExecutionContext {
    return new ExecutionContext({ ...this.#parts(), batchId: named(batchId, 'batch_id') });
  }

  /** The same execution, carrying out `workflow`. Throws ValidationError for an empty name. */
  withWorkflow(workflow: string): ExecutionContext {
    return new ExecutionContext({ ...this.#parts(), workflow: named(workflow, 'workflow') });
  }

  isDescendantOf(other: ExecutionContext): boolean {
    return this.ancestors.includes(other.executionId);
  }

  /** Milliseconds from the start to `now`; negative when `now` is earlier. */
  elapsedMs(now: Date): number {
    return now.getTime() - Date.parse(this.startedAt);
  }

  toJSON(): JsonObject {
    return {
      execution_id: this.executionId,
      parent_execution_id: this.parentExecutionId,
      root_execution_id: this.rootExecutionId,
      batch_id: this.batchId,
      workflow: this.workflow,
      started_at: this.startedAt,
    };
  }

  #parts(): NewExecution {
    return { ...this, startedAt: new Date(this.startedAt) };
  }
}

function named(text: string, field: string): string {
  if (text.trim() !== '') return text;
  throw new ValidationError(`${field}: it is empty; allowed is any other text`, {
    issues: [{ field, code: 'empty', message: 'must not be empty' }],
  });
}

function instant(date: Date): string {
  if (!Number.isNaN(date.getTime())) return date.toISOString();
  throw new ValidationError('started_at: an invalid date; allowed are valid dates', {
    issues: [{ field: 'started_at', code: 'invalid_date', message: 'must be a valid date' }],
  });
}
