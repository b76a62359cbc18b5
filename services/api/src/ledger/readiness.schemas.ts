/** Queries, bodies and answers of the readiness endpoints. */
import { z } from 'zod';
import type { Readiness } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { flag, text } from '../http/query-values.ts';
import { keysetCursor, ledgerName, partitionKeyBody, partitionKeyQuery } from './partition-key.schemas.ts';

export const readinessListQuery = z.strictObject({
  domain: text(200).optional(),
  ready_for: text(200).optional(),
  is_ready: flag.optional(),
  partition_key: partitionKeyQuery.optional().describe('JSON of the partition’s key.'),
  ...cursorPaging,
  cursor: keysetCursor,
});
export type ReadinessListQuery = z.infer<typeof readinessListQuery>;

export const certifyBody = z
  .strictObject({
    domain: ledgerName,
    workflow: ledgerName.describe('The expected schedule that says what should be there.'),
    partition_key: partitionKeyBody.describe(
      'Fields left out cover all values that the schedule has for them.',
    ),
    ready_for: ledgerName.describe('The purpose, e.g. trading or reporting.'),
    certified_by: ledgerName.optional().describe('Who asks. Default: the caller.'),
  })
  .meta({ id: 'CertifyRequest' });
export type CertifyBody = z.infer<typeof certifyBody>;

const BLOCKING_CODES = [
  'NO_EXPECTATION',
  'PARTITION_MISSING',
  'STAGE_MISSING',
  'CRITICAL_ANOMALY',
  'DEPENDENCY_MISSING',
  'DEPENDENCY_STALE',
  'PRELIMINARY',
] as const;

const blockingReasonJson = z
  .object({
    code: z.enum(BLOCKING_CODES),
    message: z.string(),
    partition_key: z.string().nullable().describe('Canonical JSON.'),
    stage: z.string().nullable(),
    anomaly_id: z.string().nullable(),
  })
  .meta({ id: 'BlockingReason' });

const instant = z.iso.datetime();

export const readinessJson = z
  .object({
    domain: z.string(),
    workflow: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    ready_for: z.string(),
    is_ready: z.boolean(),
    all_partitions_present: z.boolean(),
    all_stages_complete: z.boolean(),
    no_critical_anomalies: z.boolean(),
    dependencies_current: z.boolean(),
    age_exceeds_preliminary: z.boolean(),
    blocking_reasons: z.array(blockingReasonJson).describe('Empty exactly when it is ready.'),
    notes: z.array(z.string()).describe('What does not block.'),
    certified_by: z.string(),
    run_id: z.string().nullable(),
    evaluated_at: instant.describe('The verdict is as old as this.'),
    certified_at: instant.nullable().describe('Since when it has been ready without a break.'),
    revoked_at: instant.nullable().describe('When it last ceased to be ready.'),
  })
  .meta({ id: 'Readiness', description: 'Whether a partition may be used for a purpose.' });
export type ReadinessJson = z.infer<typeof readinessJson>;

export function toReadinessJson(readiness: Readiness): ReadinessJson {
  const { checks } = readiness;
  return {
    domain: readiness.domain,
    workflow: readiness.workflow,
    partition_key: readiness.partitionKey,
    ready_for: readiness.readyFor,
    is_ready: readiness.isReady,
    all_partitions_present: checks.allPartitionsPresent,
    all_stages_complete: checks.allStagesComplete,
    no_critical_anomalies: checks.noCriticalAnomalies,
    dependencies_current: checks.dependenciesCurrent,
    age_exceeds_preliminary: checks.ageExceedsPreliminary,
    blocking_reasons: readiness.blocking.map((reason) => ({
      code: reason.code,
      message: reason.message,
      partition_key: 'partitionKey' in reason ? reason.partitionKey : null,
      stage: 'stage' in reason ? reason.stage : null,
      anomaly_id: 'anomalyId' in reason ? reason.anomalyId : null,
    })),
    notes: [...readiness.notes],
    certified_by: readiness.certifiedBy,
    run_id: readiness.runId,
    evaluated_at: readiness.evaluatedAt.toISOString(),
    certified_at: readiness.certifiedAt === null ? null : readiness.certifiedAt.toISOString(),
    revoked_at: readiness.revokedAt === null ? null : readiness.revokedAt.toISOString(),
  };
}
