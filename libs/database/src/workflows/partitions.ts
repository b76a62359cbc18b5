/**
 * Partitions of workflows: which run is under way for one, which has completed it, and what the ledger says of both.
 *
 * 1. Of one workflow and partition one run is under way: the admission decides it under the gate of the partition, and the
 *    unique index `workflow_runs_partition` refuses what it would miss.
 * 2. What a run has made of its partition (the stage in the manifest, the anomaly) commits with its end.
 */
import { AnomalyCategory, Severity } from '@spine/core';
import type { RunStatus } from '@spine/core';
import { recordAnomaly } from '../ledger/anomalies.ts';
import { advanceManifest, partitionKeyOf } from '../ledger/manifest.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

/** The stage a partition reaches when a run of its workflow completes. */
export const WORKFLOW_STAGE = 'COMPLETED';

/** Under which the ledger keeps what runs of a workflow have made of partitions: by its name, which no version changes. */
export function workflowDomain(name: string): string {
  return `workflow.${name}`;
}

export interface PartitionState {
  /** The run that completed it last; null where none has. */
  readonly completedBy: { readonly runId: string; readonly at: Date } | null;
  /** Another run that has begun it and not ended. */
  readonly occupant: { readonly runId: string; readonly status: RunStatus } | null;
}

interface StateRow {
  completed_by: string | null;
  completed_at: Date | null;
  occupant: string | null;
  occupant_status: RunStatus | null;
}

export const PARTITION_STATE_SQL = `SELECT m.run_id AS completed_by, m.updated_at AS completed_at, o.run_id AS occupant,
  o.status AS occupant_status
FROM (VALUES (1)) AS one
LEFT JOIN LATERAL (
  SELECT m.run_id, m.updated_at FROM manifest m
  WHERE m.domain = $4 AND m.partition_key = $2 AND m.stage = '${WORKFLOW_STAGE}'
) m ON true
LEFT JOIN LATERAL (
  SELECT w.run_id, r.status FROM workflow_runs w JOIN runs r ON r.id = w.run_id
  WHERE w.name = $1 AND w.partition_key IS NOT NULL AND md5(w.partition_key) = md5($2) AND w.status <> 'ended'
    AND w.run_id <> $3::uuid LIMIT 1
) o ON true`;

/**
 * How it stands with a partition, for a run that would begin it.
 * @param partitionKey canonical JSON.
 */
export async function partitionState(
  db: Db | DbTransaction,
  name: string,
  partitionKey: string,
  runId: string,
): Promise<PartitionState> {
  const { rows } = await asQueryable(db).query<StateRow>({
    text: PARTITION_STATE_SQL,
    values: [name, partitionKey, runId, workflowDomain(name)],
  });
  const [row] = rows;
  if (row === undefined) return { completedBy: null, occupant: null };
  const { completed_by, completed_at, occupant, occupant_status } = row;
  return {
    completedBy:
      completed_by === null || completed_at === null ? null : { runId: completed_by, at: completed_at },
    occupant:
      occupant === null || occupant_status === null ? null : { runId: occupant, status: occupant_status },
  };
}

/** Whether a run of a namespace may be told of another run: of its own namespace, or of any where it has none. */
export async function mayKnowRun(db: Db | DbTransaction, runId: string, other: string): Promise<boolean> {
  const { rows } = await asQueryable(db).query({
    text: `SELECT 1 FROM runs r JOIN runs o ON o.id = $2::uuid
WHERE r.id = $1::uuid AND (r.namespace IS NULL OR o.namespace IS NOT DISTINCT FROM r.namespace)`,
    values: [runId, other],
  });
  return rows.length === 1;
}

/** A run of a partition, as it ends. */
export interface TrackedRun {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** Canonical JSON. */
  readonly partitionKey: string;
  readonly correlationId: string | null;
}

/** The partition has reached {@link WORKFLOW_STAGE}. */
export async function recordPartitionCompleted(
  trx: DbTransaction,
  { runId, name, version, partitionKey, correlationId }: TrackedRun,
): Promise<void> {
  await advanceManifest(trx, {
    domain: workflowDomain(name),
    partitionKey: partitionKeyOf(partitionKey),
    stage: WORKFLOW_STAGE,
    stageRank: 0,
    rowCount: null,
    metrics: { version },
    runId,
    batchId: correlationId,
  });
}

export interface PartitionFailure {
  readonly message: string;
  readonly timedOut: boolean;
  /** Whose failure it was; null for the run's own. */
  readonly step: string | null;
  readonly error: { readonly type: string; readonly category: string } | null;
}

/** Records that a run has failed its partition. */
export async function recordPartitionFailed(
  trx: DbTransaction,
  { runId, name, version, partitionKey, correlationId }: TrackedRun,
  { message, timedOut, step, error }: PartitionFailure,
): Promise<void> {
  await recordAnomaly(trx, {
    domain: workflowDomain(name),
    partitionKey: partitionKeyOf(partitionKey),
    stage: WORKFLOW_STAGE,
    severity: Severity.ERROR,
    category: timedOut ? AnomalyCategory.TIMEOUT : AnomalyCategory.WORKFLOW_FAILURE,
    message: `workflow ${name} (version ${version}) failed: ${message}`,
    metadata: {
      workflow: name,
      version,
      step,
      error_type: error?.type ?? null,
      error_category: error?.category ?? null,
    },
    runId,
    batchId: correlationId,
  });
}
