/** The JSON of assets: the one place where their camelCase becomes snake_case. */
import { z } from 'zod';
import { assertNever, FRESHNESS, stalenessOf } from '@spine/core';
import type { Freshness, InputVersions } from '@spine/core';
import { partitionKeyOf } from '@spine/database';
import type { AssetLineage, AssetState, Materialization, Observation } from '@spine/database';

const instant = z.iso.datetime();
const partitionKey = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const metadata = z.record(z.string(), z.unknown());

const freshnessJson = z
  .object({
    status: z.enum(FRESHNESS),
    lag_seconds: z.int().nullable().describe('Since the newest materialization; null when there is none.'),
    overdue_seconds: z.int().nullable().describe('Beyond `max_lag_seconds`; null unless stale.'),
  })
  .meta({ id: 'AssetFreshness' });

export const inputJson = z
  .object({
    asset_key: z.string(),
    partition_key: partitionKey,
    used_materialization_id: z.int().nullable().describe('Null: a source that is not materialized here.'),
    used_data_version: z.string(),
    latest_materialization_id: z.int().nullable(),
    latest_data_version: z.string().nullable(),
  })
  .meta({ id: 'AssetInput', description: 'What a materialization read, and what is there now.' });

export const materializationJson = z
  .object({
    materialization_id: z.int(),
    asset_key: z.string(),
    domain: z.string(),
    partition_key: partitionKey,
    run_id: z.string(),
    batch_id: z.string().nullable(),
    code_version: z.string().nullable(),
    data_version: z.string(),
    row_count: z.int().nullable(),
    metadata,
    materialized_at: instant,
  })
  .meta({ id: 'AssetMaterialization' });

export const materializationWithInputsJson = materializationJson
  .extend({
    inputs: z.array(inputJson),
    is_stale: z.boolean().describe('An input was materialized with other data since it was read.'),
  })
  .meta({ id: 'AssetMaterializationWithInputs' });

export const observationJson = z
  .object({
    observation_id: z.int(),
    asset_key: z.string(),
    domain: z.string(),
    partition_key: partitionKey,
    run_id: z.string().nullable(),
    batch_id: z.string().nullable(),
    observed_by: z.string(),
    data_version: z.string().nullable(),
    row_count: z.int().nullable(),
    metadata,
    observed_at: instant,
  })
  .meta({ id: 'AssetObservation' });

export const assetJson = z
  .object({
    asset_key: z.string(),
    domain: z.string(),
    description: z.string().nullable(),
    max_lag_seconds: z.int().nullable(),
    metadata,
    freshness: freshnessJson,
    latest_materialization: materializationJson.nullable(),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Asset' });

const nodeJson = z.object({ asset_key: z.string(), depth: z.int() }).meta({ id: 'AssetLineageNode' });

export const lineageJson = z
  .object({
    asset_key: z.string(),
    upstream: z.array(nodeJson).describe('What it was ever made from, the nearest first.'),
    downstream: z.array(nodeJson).describe('What was ever made from it.'),
    edges: z.array(z.object({ asset_key: z.string(), upstream_asset_key: z.string() })),
    truncated: z.boolean(),
  })
  .meta({ id: 'AssetLineage' });

export const observedJson = z
  .object({ observation_id: z.int(), asset_key: z.string(), observed_at: instant })
  .meta({ id: 'AssetObserved' });

function toFreshnessJson(freshness: Freshness): z.infer<typeof freshnessJson> {
  switch (freshness.status) {
    case 'missing':
      return { status: 'missing', lag_seconds: null, overdue_seconds: null };
    case 'fresh':
      return { status: 'fresh', lag_seconds: freshness.lagSeconds, overdue_seconds: null };
    case 'stale': {
      const { lagSeconds, overdueSeconds } = freshness;
      return { status: 'stale', lag_seconds: lagSeconds, overdue_seconds: overdueSeconds };
    }
    default:
      return assertNever(freshness);
  }
}

export function toMaterializationJson(row: Materialization): z.infer<typeof materializationJson> {
  return {
    materialization_id: row.materializationId,
    asset_key: row.assetKey,
    domain: row.domain,
    partition_key: partitionKeyOf(row.partitionKey),
    run_id: row.runId,
    batch_id: row.batchId,
    code_version: row.codeVersion,
    data_version: row.dataVersion,
    row_count: row.rowCount,
    metadata: row.metadata,
    materialized_at: row.materializedAt.toISOString(),
  };
}

export function toMaterializationWithInputsJson(
  row: Materialization,
  inputs: readonly InputVersions[],
): z.infer<typeof materializationWithInputsJson> {
  return {
    ...toMaterializationJson(row),
    inputs: inputs.map((input) => ({
      asset_key: input.assetKey,
      partition_key: partitionKeyOf(input.partitionKey),
      used_materialization_id: input.usedMaterializationId,
      used_data_version: input.usedDataVersion,
      latest_materialization_id: input.latestMaterializationId,
      latest_data_version: input.latestDataVersion,
    })),
    is_stale: stalenessOf(inputs).status === 'stale',
  };
}

export function toObservationJson(row: Observation): z.infer<typeof observationJson> {
  return {
    observation_id: row.observationId,
    asset_key: row.assetKey,
    domain: row.domain,
    partition_key: partitionKeyOf(row.partitionKey),
    run_id: row.runId,
    batch_id: row.batchId,
    observed_by: row.observedBy,
    data_version: row.dataVersion,
    row_count: row.rowCount,
    metadata: row.metadata,
    observed_at: row.observedAt.toISOString(),
  };
}

export function toAssetJson(asset: AssetState): z.infer<typeof assetJson> {
  return {
    asset_key: asset.assetKey,
    domain: asset.domain,
    description: asset.description,
    max_lag_seconds: asset.maxLagSeconds,
    metadata: asset.metadata,
    freshness: toFreshnessJson(asset.freshness),
    latest_materialization: asset.latest === null ? null : toMaterializationJson(asset.latest),
    created_at: asset.createdAt.toISOString(),
    updated_at: asset.updatedAt.toISOString(),
  };
}

export function toLineageJson(key: string, lineage: AssetLineage): z.infer<typeof lineageJson> {
  const nodes = (found: AssetLineage['upstream']) =>
    found.map(({ assetKey, depth }) => ({ asset_key: assetKey, depth }));
  return {
    asset_key: key,
    upstream: nodes(lineage.upstream),
    downstream: nodes(lineage.downstream),
    edges: lineage.edges.map((edge) => ({
      asset_key: edge.assetKey,
      upstream_asset_key: edge.upstreamAssetKey,
    })),
    truncated: lineage.truncated,
  };
}
