/** Queries, bodies and answers of the endpoints of rejects. */
import { z } from 'zod';
import { REASON_CODE, REPAIR_OUTCOMES } from '@spine/core';
import type { ReasonCount, RejectFilter, RejectRepair, StoredReject } from '@spine/database';
import { LIMITS, replaySelection } from '@spine/execution';
import { cursorPaging } from '../http/paging.ts';
import { flag, once, text } from '../http/query-values.ts';
import { needsDomain } from './needs-domain.ts';
import { partitionKeyQuery } from './partition-key.schemas.ts';

export const rejectListQuery = z
  .strictObject({
    domain: text(200).optional(),
    stage: text(64).optional().describe('Needs `domain`.'),
    partition_key: partitionKeyQuery.optional().describe('JSON of a partition key. Needs `domain`.'),
    reason_code: once(z.string().max(100).regex(REASON_CODE)).optional().describe('Needs `domain`.'),
    run_id: once(z.uuid()).optional().describe('The run that refused the row.'),
    open: flag
      .optional()
      .describe('true: only open ones; false: only closed ones. Needs `domain` or `run_id`.'),
    ...cursorPaging,
  })
  .superRefine(needsDomain('stage', 'partition_key', 'reason_code'))
  .superRefine(({ open, domain, run_id }, ctx) => {
    if (open === undefined || domain !== undefined || run_id !== undefined) return;
    ctx.addIssue({
      code: 'custom',
      path: ['open'],
      message: 'needs domain or run_id: it is looked up within one',
    });
  });
export type RejectListQuery = z.infer<typeof rejectListQuery>;

export function rejectFilter(query: RejectListQuery): RejectFilter {
  const { domain, stage, partition_key, reason_code, run_id, open } = query;
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(stage === undefined ? {} : { stage }),
    ...(partition_key === undefined ? {} : { partitionKey: partition_key }),
    ...(reason_code === undefined ? {} : { reasonCode: reason_code }),
    ...(run_id === undefined ? {} : { runId: run_id }),
    ...(open === undefined ? {} : { open }),
  };
}

export const rejectJson = z
  .object({
    reject_id: z.string(),
    domain: z.string(),
    partition_key: z.record(z.string(), z.unknown()),
    stage: z.string(),
    reason_code: z.string(),
    reason_detail: z.string(),
    raw: z.string().describe('The row as it stood in the source.'),
    source_locator: z.string(),
    source_hash: z.string().nullable().describe('SHA-256 of the source.'),
    line_number: z.int().nullable(),
    record_hash: z.string(),
    rule_version: z.string().nullable().describe('The rules that refused it.'),
    run_id: z.string(),
    batch_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    closed_at: z.iso.datetime().nullable().describe('When a repair closed it; null while it is open.'),
  })
  .meta({ id: 'Reject', description: 'A row that was refused. It stays, also when it is repaired.' });
export type RejectJson = z.infer<typeof rejectJson>;

export function toRejectJson(reject: StoredReject): RejectJson {
  return {
    reject_id: reject.rejectId,
    domain: reject.domain,
    partition_key: reject.partitionKey,
    stage: reject.stage,
    reason_code: reject.reasonCode,
    reason_detail: reject.reasonDetail,
    raw: reject.raw,
    source_locator: reject.sourceLocator,
    source_hash: reject.sourceHash,
    line_number: reject.lineNumber,
    record_hash: reject.recordHash,
    rule_version: reject.ruleVersion,
    run_id: reject.runId,
    batch_id: reject.batchId,
    created_at: reject.createdAt.toISOString(),
    closed_at: reject.closedAt?.toISOString() ?? null,
  };
}

export const rejectDetailJson = rejectJson
  .extend({
    repairs: z
      .array(
        z.object({
          run_id: z.string(),
          outcome: z.enum(REPAIR_OUTCOMES),
          rule_version: z.string(),
          reason_code: z.string().nullable().describe('Why it is refused still.'),
          reason_detail: z.string().nullable(),
          created_at: z.iso.datetime(),
        }),
      )
      .describe('What runs found out that judged it again, the newest run first; at most 1,000.'),
  })
  .meta({ id: 'RejectDetail' });
export type RejectDetailJson = z.infer<typeof rejectDetailJson>;

export function toRejectDetailJson(reject: StoredReject, repairs: readonly RejectRepair[]): RejectDetailJson {
  return {
    ...toRejectJson(reject),
    repairs: repairs.map((repair) => ({
      run_id: repair.runId,
      outcome: repair.outcome,
      rule_version: repair.ruleVersion,
      reason_code: repair.reasonCode,
      reason_detail: repair.reasonDetail,
      created_at: repair.createdAt.toISOString(),
    })),
  };
}

export const rejectSummaryQuery = z.strictObject({ domain: text(200) });
export type RejectSummaryQuery = z.infer<typeof rejectSummaryQuery>;

export const rejectSummaryJson = z
  .object({
    domain: z.string(),
    reasons: z.array(
      z.object({
        reason_code: z.string(),
        total: z.int().describe('Counted up to 10,000.'),
        total_is_capped: z.boolean(),
        open: z.int().describe('Counted up to 10,000.'),
        open_is_capped: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'RejectSummary', description: 'How many rejects a domain has, by reason.' });
export type RejectSummaryJson = z.infer<typeof rejectSummaryJson>;

export function toRejectSummaryJson(domain: string, reasons: readonly ReasonCount[]): RejectSummaryJson {
  return {
    domain,
    reasons: reasons.map((reason) => ({
      reason_code: reason.reasonCode,
      total: reason.total,
      total_is_capped: reason.totalIsCapped,
      open: reason.open,
      open_is_capped: reason.openIsCapped,
    })),
  };
}

export const replayRejectsBody = z
  .strictObject({
    ...replaySelection,
    dry_run: z
      .boolean()
      .default(false)
      .describe('True: submits nothing and tells what would be judged again.'),
    lane: z.string().regex(LIMITS.lane).optional().describe('Of the run. Default: default.'),
  })
  .meta({ id: 'RejectReplayRequest' });
export type ReplayRejectsBody = z.infer<typeof replayRejectsBody>;

export const rejectReplayJson = z
  .object({
    dry_run: z.boolean(),
    matched: z.int().describe('Open rejects that match, counted up to 10,000.'),
    matched_is_capped: z.boolean(),
    by_reason: z
      .array(z.object({ stage: z.string(), reason_code: z.string(), count: z.int() }))
      .describe('Of those that were counted.'),
    run_id: z.string().nullable().describe('The run that judges them again; null of a dry run.'),
  })
  .meta({ id: 'RejectReplay' });
export type RejectReplayJson = z.infer<typeof rejectReplayJson>;
