/**
 * A workflow as data: what runs, in which order and under which policy, never how. `defineWorkflow` makes a definition of
 * it; `plan` decides what happens; drivers do it.
 *
 * Words: a **reference** is text such as `{{ steps.fetch.output.rows }}`; a **condition** is an expression such as
 * `steps.fetch.output.count > 0` (CEL). Both may name `params`, `context`, `signals`, `previous` and steps that come
 * before; within a map also `item`, `index` and `stages`.
 */
import type { Brand, JsonObject, JsonValue } from '@spine/core';
import type { RetryPolicy } from '@spine/execution';

export const STEP_KINDS = ['operation', 'lambda', 'choice', 'wait', 'map', 'workflow', 'approval'] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** What a failure for good does: `retry` gives a step without a policy of its own the default one, then stops. */
export const ERROR_POLICIES = ['stop', 'continue', 'retry'] as const;
export type ErrorPolicy = (typeof ERROR_POLICIES)[number];

export const EXECUTION_MODES = ['sequential', 'parallel'] as const;
export type ExecutionMode = (typeof EXECUTION_MODES)[number];

export const CONFLICT_POLICIES = ['queue', 'skip', 'cancel_existing'] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** Work that has a handler: a registered operation, or a function registered by name. */
export interface Call {
  readonly kind: 'operation' | 'lambda';
  readonly handler: string;
  /** Params with references. Default `{}`. */
  readonly params?: JsonObject;
}

interface StepBase {
  /** A letter, then up to 99 letters, digits, `_` or `-`; not `constructor` or `prototype`. Unique within the workflow. */
  readonly name: string;
  /** Steps that must have settled before. In a sequential workflow the step before in the list is always one of them. */
  readonly dependsOn?: readonly string[];
  /** A condition; where it does not hold the step is skipped and what depends on it goes on. */
  readonly when?: string;
  /** Default: the workflow's. */
  readonly onError?: ErrorPolicy;
  /** Undoes the step when the workflow fails later; its params may refer to the step's own output. */
  readonly compensate?: Call;
}

/** Attempts are limited in time and made again by policy. */
interface Attempted {
  /** Of one attempt. Default: none. */
  readonly timeoutSeconds?: number;
  /** By category of the error. Default: no further attempt, or the default policy where `onError` is `retry`. */
  readonly retry?: RetryPolicy;
}

/** Runs the handler registered as `operation:<handler>`. */
export interface OperationStep extends StepBase, Attempted {
  readonly kind: 'operation';
  readonly handler: string;
  readonly params?: JsonObject;
}

/** Calls a function that is registered under a name. */
export interface LambdaStep extends StepBase, Attempted {
  readonly kind: 'lambda';
  readonly handler: string;
  readonly params?: JsonObject;
}

export interface ChoiceRoute {
  readonly condition: string;
  readonly thenStep: string;
}

/**
 * The first route whose condition holds is taken, else `elseStep`. The targets depend on the choice; those that it does not
 * choose are not taken, nor is what depends on them alone.
 */
export interface ChoiceStep extends StepBase {
  readonly kind: 'choice';
  readonly routes: readonly ChoiceRoute[];
  readonly elseStep?: string;
}

/** How long a wait takes: a time, until an instant (RFC 3339, or a reference to one), or until a signal comes. */
export type WaitFor =
  | { readonly durationSeconds: number }
  | { readonly until: string }
  /** The output is the signal's data; a signal that came before counts. Without it in time the step fails. */
  | { readonly signal: string; readonly timeoutSeconds?: number };

export interface WaitStep extends StepBase {
  readonly kind: 'wait';
  readonly wait: WaitFor;
}

/** One stage of what is done with an item. Stages of an item run one after the other. */
export type IteratorStep =
  | (Attempted & Call & { readonly name: string })
  | (Attempted & {
      readonly name: string;
      readonly kind: 'workflow';
      readonly workflow: string;
      readonly params?: JsonObject;
    });

/** Runs its iterator for every item. The output is `{ items, count, succeeded, failed, errors }`, items in their order. */
export interface MapStep extends StepBase {
  readonly kind: 'map';
  /** A reference to a list, an expression that answers one, or the list itself (which may hold references). */
  readonly items: string | readonly JsonValue[];
  readonly iterator: readonly IteratorStep[];
  /** Items at the same time. Default 10. */
  readonly maxConcurrency?: number;
  /** A field of the items: those that agree in it are one item `{ key, items }`, in order of their first. */
  readonly partitionBy?: string;
  /** Items that may fail without failing the map. Default 0; `all` for any number. */
  readonly toleratedFailures?: number | 'all';
}

/** Runs another workflow. Its outputs are the step's output. */
export interface SubWorkflowStep extends StepBase {
  readonly kind: 'workflow';
  readonly workflow: string;
  readonly params?: JsonObject;
  /** Whether the step lasts until the child has ended. Default true. */
  readonly wait?: boolean;
  /** Whether the child also gets this run's params and context; the step's own params win. Default true. */
  readonly inheritContext?: boolean;
  /** The child is cancelled after it. Default 600 with `wait`, which the other form does not have. */
  readonly timeoutSeconds?: number;
  /** A child that failed is started again as a new run. */
  readonly retry?: RetryPolicy;
}

/** Waits for somebody's decision. The output is `{ approved, by, comment, automatic }`. */
export interface ApprovalStep extends StepBase {
  readonly kind: 'approval';
  /** Who may decide; empty for anybody who may approve at all. */
  readonly approvers: readonly string[];
  readonly message?: string;
  /** Not decided by then, the step fails. Default 86,400. */
  readonly timeoutSeconds?: number;
  /** Environments in which nobody is asked. */
  readonly autoApprove?: readonly string[];
  /** What is shown with the question: names and values with references. */
  readonly contextFields?: JsonObject;
}

export type Step =
  OperationStep | LambdaStep | ChoiceStep | WaitStep | MapStep | SubWorkflowStep | ApprovalStep;

export interface WorkflowPolicy {
  /** Default `sequential`: one step after the other, in the order of the list. */
  readonly mode?: ExecutionMode;
  /** Operations, lambdas, maps and awaited sub-workflows at the same time. Default: no limit. */
  readonly maxConcurrency?: number;
  /** Of the whole run, waits and pauses included. Default: none. */
  readonly timeoutSeconds?: number;
  /** Default `stop`: nothing starts after a failure for good. */
  readonly onError?: ErrorPolicy;
  /** For steps without one, where the error policy is `retry`. Default {@link DEFAULT_RETRY}. */
  readonly retry?: RetryPolicy;
  /** Called once when the run has failed, after the compensations; its failure changes nothing. */
  readonly onFailure?: Call;
}

/** Enforced by whoever starts runs. */
export interface ConcurrencyPolicy {
  readonly maxRuns: number;
  /** What becomes of one run more. Default `queue`. */
  readonly onConflict?: ConflictPolicy;
  /** With `queue`. Default: as long as it takes. */
  readonly queueTimeoutSeconds?: number;
}

export interface WorkflowInput {
  /** As handlers are named: a letter, then up to 199 letters, digits, `_`, `.` or `-`. */
  readonly name: string;
  readonly domain?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** Params of a run that does not give them. */
  readonly defaults?: JsonObject;
  readonly steps: readonly Step[];
  readonly policy?: WorkflowPolicy;
  readonly concurrency?: ConcurrencyPolicy;
  /** The outputs of a run, with references. Default: the outputs of the steps that nothing depends on, by name. */
  readonly outputs?: JsonObject;
}

/** A checked workflow. Only `defineWorkflow` makes one. */
export type WorkflowDefinition = Brand<
  WorkflowInput & {
    /** SHA-256 of the canonical JSON; equal for equal definitions. */
    readonly hash: string;
  },
  'WorkflowDefinition'
>;

/** Of steps under `onError: retry` that name no policy, in a workflow that names none. */
export const DEFAULT_RETRY: RetryPolicy = {
  strategy: 'exponential',
  maxRetries: 3,
  baseDelaySeconds: 5,
  maxDelaySeconds: 600,
};

export const WORKFLOW_LIMITS = {
  name: /^[A-Za-z][A-Za-z0-9_.-]{0,199}$/,
  /** Also a key of JSON, where two names are not allowed. */
  stepName: /^(?!(?:constructor|prototype)$)[A-Za-z][A-Za-z0-9_-]{0,99}$/,
  signal: /^(?!(?:constructor|prototype)$)[A-Za-z][A-Za-z0-9_.-]{0,199}$/,
  steps: 20_000,
  routes: 100,
  iteratorSteps: 20,
  /** Items of one map. */
  items: 100_000,
  mapConcurrency: 10_000,
  /** Characters of the canonical JSON of one output, of the context, of a signal. Larger data goes to an artifact. */
  outputLength: 262_144,
  /** The same of what a step says about its data: figures, not data. */
  qualityLength: 8_192,
  /** Different signals of one run. */
  signals: 100,
  /** Steps that a run may add to its own plan. */
  addedSteps: 1_000,
  /** Workflows within workflows. */
  nesting: 20,
  timeoutSeconds: 366 * 86_400,
} as const;

export const STEP_DEFAULTS = {
  mapConcurrency: 10,
  subWorkflowTimeoutSeconds: 600,
  approvalTimeoutSeconds: 86_400,
} as const;
