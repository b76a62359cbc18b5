/**
 * A backfill in memory: for scripts, dry runs and operations that walk their partitions themselves. Plans are values:
 * every function answers with a new one.
 */
import { ConflictError, ValidationError } from '../errors/permanent.ts';
import { afterPartitionRun, backfillEnd, backfillProgressPct, canMoveBackfill } from './backfill.ts';
import type { BackfillReason, BackfillStatus } from './backfill.ts';

export interface BackfillPlan {
  readonly domain: string;
  readonly source: string;
  readonly reason: BackfillReason;
  readonly status: BackfillStatus;
  /** Canonical partition keys, each once, in the order they are done in. */
  readonly partitionKeys: readonly string[];
  readonly completedKeys: ReadonlySet<string>;
  /** With what went wrong. */
  readonly failedKeys: ReadonlyMap<string, string>;
  /** Where a partition's own work stands, in words of whoever does it; null when it has not said. */
  readonly checkpoint: string | null;
}

export interface NewBackfillPlan {
  readonly domain: string;
  readonly source: string;
  readonly reason: BackfillReason;
  readonly partitionKeys: readonly string[];
}

/**
 * Each key once, in the order of its first appearance.
 * @throws ValidationError when there is none.
 */
export function distinctPartitions(keys: readonly string[], field = 'partition_keys'): readonly string[] {
  if (keys.length > 0) return [...new Set(keys)];
  const message = 'must name at least one partition';
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'empty', message }] });
}

/** A plan that has not started. @throws ValidationError without partitions. */
export function createBackfillPlan(plan: NewBackfillPlan): BackfillPlan {
  return {
    ...plan,
    partitionKeys: distinctPartitions(plan.partitionKeys),
    status: 'PLANNED',
    completedKeys: new Set(),
    failedKeys: new Map(),
    checkpoint: null,
  };
}

function moved(plan: BackfillPlan, to: BackfillStatus, verb: string): BackfillPlan {
  if (canMoveBackfill(plan.status, to)) return { ...plan, status: to };
  throw new ConflictError(`a backfill that is ${plan.status} cannot be ${verb}`);
}

/** @throws ConflictError unless it is PLANNED. */
export function startBackfill(plan: BackfillPlan): BackfillPlan {
  if (plan.status !== 'PLANNED')
    throw new ConflictError(`a backfill that is ${plan.status} cannot be started`);
  return moved(plan, 'RUNNING', 'started');
}

/** @throws ConflictError when it has ended. */
export function cancelBackfillPlan(plan: BackfillPlan): BackfillPlan {
  return moved(plan, 'CANCELLED', 'cancelled');
}

/** Goes on with what is not done; failed partitions are tried again. @throws ConflictError unless it FAILED or was CANCELLED. */
export function resumeBackfill(plan: BackfillPlan): BackfillPlan {
  if (plan.status !== 'FAILED' && plan.status !== 'CANCELLED') {
    throw new ConflictError(`a backfill that is ${plan.status} cannot be resumed`);
  }
  return ended({ ...moved(plan, 'RUNNING', 'resumed'), failedKeys: new Map() });
}

/** @throws ConflictError unless the plan is RUNNING; ValidationError for a key it does not have. */
export function markPartitionDone(plan: BackfillPlan, key: string): BackfillPlan {
  return marked(plan, key, null);
}

/** Marking what is done already changes nothing. @throws as {@link markPartitionDone}. */
export function markPartitionFailed(plan: BackfillPlan, key: string, error: string): BackfillPlan {
  return marked(plan, key, error);
}

function marked(plan: BackfillPlan, key: string, error: string | null): BackfillPlan {
  if (plan.status !== 'RUNNING') throw new ConflictError(`the backfill is ${plan.status}, not RUNNING`);
  if (!plan.partitionKeys.includes(key)) {
    const message = `${key} is no partition of this backfill`;
    throw new ValidationError(message, { issues: [{ field: 'partition_key', code: 'unknown', message }] });
  }
  if (plan.completedKeys.has(key)) return plan;
  const end = error === null ? { type: 'completed' as const } : { type: 'failed' as const, retryable: false };
  const { status } = afterPartitionRun({ status: 'RUNNING', failures: 0 }, end, 1);
  const completedKeys = new Set(plan.completedKeys);
  const failedKeys = new Map(plan.failedKeys);
  failedKeys.delete(key);
  if (status === 'DONE') completedKeys.add(key);
  else failedKeys.set(key, error ?? '');
  return ended({ ...plan, completedKeys, failedKeys });
}

function ended(plan: BackfillPlan): BackfillPlan {
  const end = backfillEnd(countsOf(plan));
  return end === null ? plan : moved(plan, end, 'ended');
}

function countsOf({ partitionKeys, completedKeys, failedKeys }: BackfillPlan) {
  return { total: partitionKeys.length, completed: completedKeys.size, failed: failedKeys.size };
}

/** Notes where the work stands. @throws ConflictError unless the plan is RUNNING. */
export function checkpointBackfillPlan(plan: BackfillPlan, checkpoint: string): BackfillPlan {
  if (plan.status !== 'RUNNING') throw new ConflictError(`the backfill is ${plan.status}, not RUNNING`);
  return { ...plan, checkpoint };
}

/** Keys that are neither done nor failed, in order: where a plan that was read again goes on. */
export function remainingKeys(plan: BackfillPlan): readonly string[] {
  return plan.partitionKeys.filter((key) => !plan.completedKeys.has(key) && !plan.failedKeys.has(key));
}

/** See {@link backfillProgressPct}. */
export function planProgressPct(plan: BackfillPlan): number {
  return backfillProgressPct(countsOf(plan));
}
