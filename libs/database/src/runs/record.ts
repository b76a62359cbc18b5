import { priorityOf } from '@spine/core';
import type { Priority, RunKind, RunStatus } from '@spine/core';

/** An error as it is stored with a run, an event or a dead letter. */
export interface StoredError {
  readonly message: string;
  readonly type: string;
  readonly category: string;
  readonly retryable: boolean;
  readonly retry_after?: number | null;
  /** Small JSON that the error has said besides. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** One run, as the `runs` table holds it. Times are UTC instants; durations are milliseconds. */
export interface RunRecord {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly priority: Priority;
  readonly status: RunStatus;
  readonly params: unknown;
  readonly result: unknown;
  readonly error: StoredError | null;
  readonly idempotencyKey: string | null;
  readonly specHash: string | null;
  readonly correlationId: string | null;
  readonly parentRunId: string | null;
  readonly retryOfRunId: string | null;
  readonly triggerSource: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly maxAttempts: number;
  readonly retryDelayMs: number;
  readonly timeoutMs: number;
  readonly deadLetter: boolean;
  readonly attempt: number;
  readonly crashCount: number;
  readonly epoch: number;
  readonly finishedEpoch: number | null;
  readonly leaseOwner: string | null;
  readonly leaseExpiresAt: Date | null;
  readonly deadlineAt: Date | null;
  readonly availableAt: Date;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  /** Not started by then, it never is. */
  readonly expiresAt: Date | null;
  /** Over then, whatever its attempts allow. */
  readonly runDeadlineAt: Date | null;
  readonly singletonKey: string | null;
  /** JSON of a retry policy; null for the default. */
  readonly retryPolicy: unknown;
  /** JSON of what has to be free before it starts; null for nothing. */
  readonly gates: unknown;
  /** Where the params are when the row holds `{}` in their place. */
  readonly paramsRef: string | null;
  readonly resultRef: string | null;
  /** Whose keys may see it beside those without a namespace; null for nobody's. */
  readonly namespace: string | null;
  /** The principal that submitted it; null where no key was asked for, and for what Spine started. */
  readonly submittedBy: string | null;
  /** W3C traceparent of what submitted it; null where that was not traced. */
  readonly traceContext: string | null;
}

/** A row of `runs` as the driver returns it. */
export interface RunRow {
  id: string;
  kind: RunKind;
  name: string;
  lane: string;
  priority: number;
  status: RunStatus;
  params: unknown;
  result: unknown;
  error: StoredError | null;
  idempotency_key: string | null;
  spec_hash: string | null;
  correlation_id: string | null;
  parent_run_id: string | null;
  retry_of_run_id: string | null;
  trigger_source: string;
  metadata: Record<string, unknown>;
  tags: string[];
  max_attempts: number;
  retry_delay_ms: number;
  timeout_ms: number;
  dead_letter: boolean;
  attempt: number;
  crash_count: number;
  epoch: number;
  finished_epoch: number | null;
  lease_owner: string | null;
  lease_expires_at: Date | null;
  deadline_at: Date | null;
  available_at: Date;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  expires_at: Date | null;
  run_deadline_at: Date | null;
  singleton_key: string | null;
  retry_policy: unknown;
  gates: unknown;
  params_ref: string | null;
  result_ref: string | null;
  namespace: string | null;
  submitted_by: string | null;
  trace_context: string | null;
}

/** The columns of {@link RunRow}, for SELECT and RETURNING. */
export const RUN_COLUMNS = [
  'id',
  'kind',
  'name',
  'lane',
  'priority',
  'status',
  'params',
  'result',
  'error',
  'idempotency_key',
  'spec_hash',
  'correlation_id',
  'parent_run_id',
  'retry_of_run_id',
  'trigger_source',
  'metadata',
  'tags',
  'max_attempts',
  'retry_delay_ms',
  'timeout_ms',
  'dead_letter',
  'attempt',
  'crash_count',
  'epoch',
  'finished_epoch',
  'lease_owner',
  'lease_expires_at',
  'deadline_at',
  'available_at',
  'created_at',
  'started_at',
  'completed_at',
  'expires_at',
  'run_deadline_at',
  'singleton_key',
  'retry_policy',
  'gates',
  'params_ref',
  'result_ref',
  'namespace',
  'submitted_by',
  'trace_context',
] as const satisfies readonly (keyof RunRow)[];

/** The one place where a row becomes a record. */
export function toRunRecord(row: RunRow): RunRecord {
  return {
    runId: row.id,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    priority: priorityOf(row.priority),
    status: row.status,
    params: row.params,
    result: row.result,
    error: row.error,
    idempotencyKey: row.idempotency_key,
    specHash: row.spec_hash,
    correlationId: row.correlation_id,
    parentRunId: row.parent_run_id,
    retryOfRunId: row.retry_of_run_id,
    triggerSource: row.trigger_source,
    metadata: row.metadata,
    tags: row.tags,
    maxAttempts: row.max_attempts,
    retryDelayMs: row.retry_delay_ms,
    timeoutMs: row.timeout_ms,
    deadLetter: row.dead_letter,
    attempt: row.attempt,
    crashCount: row.crash_count,
    epoch: row.epoch,
    finishedEpoch: row.finished_epoch,
    leaseOwner: row.lease_owner,
    leaseExpiresAt: row.lease_expires_at,
    deadlineAt: row.deadline_at,
    availableAt: row.available_at,
    createdAt: row.created_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    expiresAt: row.expires_at,
    runDeadlineAt: row.run_deadline_at,
    singletonKey: row.singleton_key,
    retryPolicy: row.retry_policy,
    gates: row.gates,
    paramsRef: row.params_ref,
    resultRef: row.result_ref,
    namespace: row.namespace,
    submittedBy: row.submitted_by,
    traceContext: row.trace_context,
  };
}
