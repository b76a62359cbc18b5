/** The rows of the asset tables, as the code has them. */
import type { Selectable } from 'kysely';
import type { AssetKey } from '@spine/core';
import type { Database } from '../sql/schema.ts';

type Metadata = Readonly<Record<string, unknown>>;

export interface Asset {
  readonly assetKey: AssetKey;
  readonly domain: string;
  readonly description: string | null;
  readonly maxLagSeconds: number | null;
  readonly metadata: Metadata;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A partition of an asset was written. */
export interface Materialization {
  readonly materializationId: number;
  readonly assetKey: AssetKey;
  readonly domain: string;
  /** Canonical JSON. */
  readonly partitionKey: string;
  readonly runId: string;
  readonly batchId: string | null;
  readonly codeVersion: string | null;
  readonly dataVersion: string;
  readonly rowCount: number | null;
  readonly metadata: Metadata;
  readonly materializedAt: Date;
}

/** Somebody looked at an asset. */
export interface Observation {
  readonly observationId: number;
  readonly assetKey: AssetKey;
  readonly domain: string;
  /** Canonical JSON. */
  readonly partitionKey: string;
  readonly runId: string | null;
  readonly batchId: string | null;
  readonly observedBy: string;
  readonly dataVersion: string | null;
  readonly rowCount: number | null;
  readonly metadata: Metadata;
  readonly observedAt: Date;
}

export type MaterializationRow = Selectable<Database['asset_materializations']>;
export type ObservationRow = Selectable<Database['asset_observations']>;

export const MATERIALIZATION_COLUMNS = [
  'materialization_id',
  'asset_key',
  'domain',
  'partition_key',
  'run_id',
  'batch_id',
  'code_version',
  'data_version',
  'row_count',
  'metadata',
  'materialized_at',
] as const satisfies readonly (keyof MaterializationRow)[];

export const OBSERVATION_COLUMNS = [
  'observation_id',
  'asset_key',
  'domain',
  'partition_key',
  'run_id',
  'batch_id',
  'observed_by',
  'data_version',
  'row_count',
  'metadata',
  'observed_at',
] as const satisfies readonly (keyof ObservationRow)[];

export function toMaterialization(row: MaterializationRow): Materialization {
  return {
    materializationId: row.materialization_id,
    assetKey: row.asset_key as AssetKey,
    domain: row.domain,
    partitionKey: row.partition_key,
    runId: row.run_id,
    batchId: row.batch_id,
    codeVersion: row.code_version,
    dataVersion: row.data_version,
    rowCount: row.row_count,
    metadata: row.metadata as Metadata,
    materializedAt: row.materialized_at,
  };
}

export function toObservation(row: ObservationRow): Observation {
  return {
    observationId: row.observation_id,
    assetKey: row.asset_key as AssetKey,
    domain: row.domain,
    partitionKey: row.partition_key,
    runId: row.run_id,
    batchId: row.batch_id,
    observedBy: row.observed_by,
    dataVersion: row.data_version,
    rowCount: row.row_count,
    metadata: row.metadata as Metadata,
    observedAt: row.observed_at,
  };
}
