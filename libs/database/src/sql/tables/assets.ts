import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

type Json = ColumnType<unknown, string | undefined, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface AssetsTable {
  asset_key: string;
  domain: string;
  description: string | null;
  max_lag_seconds: number | null;
  metadata: Json;
  created_at: WithDefault;
  updated_at: WithDefault;
}

interface AssetMaterializationsTable {
  materialization_id: GeneratedAlways<number>;
  asset_key: string;
  domain: string;
  /** Canonical JSON. */
  partition_key: string;
  run_id: string;
  batch_id: string | null;
  code_version: string | null;
  data_version: string;
  row_count: number | null;
  metadata: Json;
  materialized_at: WithDefault;
}

interface AssetLineageTable {
  materialization_id: number;
  upstream_asset_key: string;
  upstream_partition_key: string;
  upstream_data_version: string;
  upstream_id: number | null;
}

interface AssetDependenciesTable {
  asset_key: string;
  upstream_asset_key: string;
  first_seen_at: WithDefault;
}

interface AssetObservationsTable {
  observation_id: GeneratedAlways<number>;
  asset_key: string;
  domain: string;
  partition_key: string;
  run_id: string | null;
  batch_id: string | null;
  observed_by: string;
  data_version: string | null;
  row_count: number | null;
  metadata: Json;
  observed_at: WithDefault;
}

interface BitemporalKeysTable {
  domain: string;
  fact_key: string;
  version: Generated<number>;
  system_at: Date;
}

interface BitemporalFactsTable {
  fact_id: GeneratedAlways<number>;
  domain: string;
  fact_key: string;
  version: number;
  valid_from: Date;
  valid_to: Date | null;
  system_from: Date;
  system_to: Date | null;
  value: ColumnType<unknown, string, never>;
  value_hash: string;
  source_hash: string | null;
  event_time: Date | null;
  publish_time: Date | null;
  ingest_time: Date;
  run_id: string;
  batch_id: string | null;
  capture_id: string | null;
}

/** Assets, and facts on two time axes: migration 0011. */
export interface AssetTables {
  assets: AssetsTable;
  asset_materializations: AssetMaterializationsTable;
  asset_lineage: AssetLineageTable;
  asset_dependencies: AssetDependenciesTable;
  asset_observations: AssetObservationsTable;
  bitemporal_keys: BitemporalKeysTable;
  bitemporal_facts: BitemporalFactsTable;
}
