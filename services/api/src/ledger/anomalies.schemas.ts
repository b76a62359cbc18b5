/** Queries, bodies and answers of the endpoints of anomalies. */
import { z } from 'zod';
import { ANOMALY_CATEGORIES, isStorableText, routeAnomaly, SEVERITIES } from '@spine/core';
import type { Anomaly, AnomalyFilter } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { flag, instant, once, text } from '../http/query-values.ts';
import { needsDomain } from './needs-domain.ts';
import { partitionKeyQuery } from './partition-key.schemas.ts';

export const anomalyListQuery = z
  .strictObject({
    domain: text(200).optional(),
    stage: text(64).optional().describe('Needs `domain`.'),
    partition_key: partitionKeyQuery.optional().describe('JSON of a partition key. Needs `domain`.'),
    severity: once(z.enum(SEVERITIES)).optional(),
    category: once(z.enum(ANOMALY_CATEGORIES)).optional(),
    resolved: flag.optional().describe('true: only resolved ones; false: only unresolved ones.'),
    run_id: once(z.uuid()).optional(),
    since: instant.optional().describe('Recorded at or after.'),
    until: instant.optional().describe('Recorded before.'),
    ...cursorPaging,
  })
  .superRefine(needsDomain('stage', 'partition_key'));
export type AnomalyListQuery = z.infer<typeof anomalyListQuery>;

export function anomalyFilter(query: AnomalyListQuery): AnomalyFilter {
  const { domain, stage, partition_key, severity, category, resolved, run_id, since, until } = query;
  return {
    ...(domain === undefined ? {} : { domain }),
    ...(stage === undefined ? {} : { stage }),
    ...(partition_key === undefined ? {} : { partitionKey: partition_key }),
    ...(severity === undefined ? {} : { severity }),
    ...(category === undefined ? {} : { category }),
    ...(resolved === undefined ? {} : { resolved }),
    ...(run_id === undefined ? {} : { runId: run_id }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

function storable(most: number) {
  return z.string().max(most).refine(isStorableText, 'must not contain NUL characters or lone surrogates');
}

export const resolveAnomalyBody = z
  .strictObject({
    note: storable(2_000).optional().describe('What was done about it, for whoever reads it later.'),
    resolved_by: storable(200).min(1).optional().describe('Who resolves it. Default: the caller.'),
  })
  .optional()
  .meta({ id: 'AnomalyResolveRequest' });
export type ResolveAnomalyBody = z.infer<typeof resolveAnomalyBody>;

export const anomalyJson = z
  .object({
    anomaly_id: z.string(),
    domain: z.string(),
    stage: z.string().nullable(),
    partition_key: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('Null: it is about the domain as a whole.'),
    severity: z.enum(SEVERITIES),
    category: z.enum(ANOMALY_CATEGORIES),
    message: z.string(),
    metadata: z.unknown(),
    run_id: z.string().nullable(),
    batch_id: z.string().nullable(),
    route: z
      .object({ action: z.enum(['page', 'ticket', 'log']), owner: z.string(), needs_resolution: z.boolean() })
      .describe('What is to be done about it, by whom, as long as a domain says nothing else.'),
    created_at: z.iso.datetime(),
    resolved_at: z.iso.datetime().nullable(),
    resolved_by: z.string().nullable(),
    resolution_note: z.string().nullable(),
  })
  .meta({ id: 'Anomaly', description: 'What went wrong without ending the work, or made it fail.' });
export type AnomalyJson = z.infer<typeof anomalyJson>;

export function toAnomalyJson(anomaly: Anomaly): AnomalyJson {
  const route = routeAnomaly(anomaly.severity, anomaly.category);
  return {
    anomaly_id: anomaly.anomalyId,
    domain: anomaly.domain,
    stage: anomaly.stage,
    partition_key: anomaly.partitionKey,
    severity: anomaly.severity,
    category: anomaly.category,
    message: anomaly.message,
    metadata: anomaly.metadata,
    run_id: anomaly.runId,
    batch_id: anomaly.batchId,
    route: { action: route.action, owner: route.owner, needs_resolution: route.needsResolution },
    created_at: anomaly.createdAt.toISOString(),
    resolved_at: anomaly.resolvedAt?.toISOString() ?? null,
    resolved_by: anomaly.resolvedBy,
    resolution_note: anomaly.resolutionNote,
  };
}
