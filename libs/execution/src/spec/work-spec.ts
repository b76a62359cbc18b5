import type { Priority, RunKind } from '@spine/core';
import type { ConcurrencyLimit, RateLimit } from '../gates/gates-json.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';

/** What to run: the one shape every executor accepts. Durations are seconds, as in the HTTP contract. */
export interface WorkSpec {
  readonly kind: RunKind;
  /** Handler name without its kind, e.g. `finra.otc_transparency.ingest_week`. */
  readonly name: string;
  /** A JSON object; the handler's schema validates it. Default `{}`. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Two submissions with one key are one run; the same key with a different spec is a conflict. */
  readonly idempotencyKey?: string;
  /** Joins runs that belong together. A child inherits its parent's, or its parent's id. */
  readonly correlationId?: string;
  /** Default `normal`. */
  readonly priority?: Priority;
  /** The queue. Default `default`. */
  readonly lane?: string;
  readonly parentRunId?: string;
  /** Who asked: `api`, `schedule`, `cli`, … Default `api`. */
  readonly triggerSource?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
  /** Further attempts after the first. Default 3. */
  readonly maxRetries?: number;
  /** Wait before the first retry, in seconds; doubles with every further one. Default 5. */
  readonly retryDelaySeconds?: number;
  /** Time-out of one attempt in seconds. Default 3600. */
  readonly timeoutSeconds?: number;
  /** Not before this instant. */
  readonly runAfter?: Date;
  /** Not started by then, it never is: the run ends as `timed_out`. */
  readonly expiresAt?: Date;
  /** Over this many seconds after it became available, all attempts and waits included. */
  readonly deadlineSeconds?: number;
  /** How failed attempts are made again. Default: the handler's policy, else exponential. */
  readonly retry?: RetryPolicy;
  /**
   * Of all runs with one key at most one is active and one waits; a new one takes the place of the one that waits, which
   * is cancelled. With `debounceSeconds` it starts only when no other came for that long.
   */
  readonly singletonKey?: string;
  /** Needs `singletonKey`. */
  readonly debounceSeconds?: number;
  /** Runs under one key at the same time; all limits named count. At most 5. */
  readonly concurrency?: readonly ConcurrencyLimit[];
  /** How many runs start under one key in a time; all rates named count. At most 5. */
  readonly rateLimits?: readonly RateLimit[];
  /** Dependencies whose circuit breakers must be closed for it to start. At most 5. */
  readonly breakers?: readonly string[];
  /** Whether a final failure becomes a dead letter. Default: true but for steps, whose workflow decides. */
  readonly deadLetter?: boolean;
}

type SpecOptions = Omit<WorkSpec, 'kind' | 'name' | 'params'>;

function specOf(kind: RunKind) {
  return (
    name: string,
    params: Readonly<Record<string, unknown>> = {},
    options: SpecOptions = {},
  ): WorkSpec => ({
    ...options,
    kind,
    name,
    params,
  });
}

/** A small, self-contained piece of work. */
export const taskSpec = specOf('task');
/** A domain operation, e.g. one ingest. */
export const operationSpec = specOf('operation');
export const workflowSpec = specOf('workflow');
/** One step of a workflow. */
export const stepSpec = specOf('step');

export const DEFAULTS = {
  lane: 'default',
  priority: 'normal',
  triggerSource: 'api',
  maxRetries: 3,
  retryDelaySeconds: 5,
  timeoutSeconds: 3600,
} as const satisfies Partial<WorkSpec>;
