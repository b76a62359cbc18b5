/**
 * Which asset comes from which, and whether a materialization still stands on the data it was made from.
 *
 * Chains of materializations have no cycle: an input is older than what was made of it. Assets may: one that is made from
 * its own last partition depends on itself. A walk therefore counts its steps, and each asset once a step.
 */
import { sql } from 'kysely';
import { stalenessOf } from '@spine/core';
import type { AssetKey, InputVersions, Staleness } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export const LINEAGE_LIMITS = { depth: 32, assets: 1_000 } as const;

export interface LineageNode {
  readonly assetKey: AssetKey;
  /** Steps from the asset asked about, by the shortest way; from 1. */
  readonly depth: number;
}

export interface AssetLineage {
  readonly upstream: readonly LineageNode[];
  readonly downstream: readonly LineageNode[];
  /** Dependencies among the asset itself and those above: what is made, and from what. */
  readonly edges: readonly { readonly assetKey: AssetKey; readonly upstreamAssetKey: AssetKey }[];
  /** True when there are more than {@link LINEAGE_LIMITS}.assets in a direction; the nearest are told. */
  readonly truncated: boolean;
}

export type LineageDirection = 'up' | 'down' | 'both';

/** Assets that this one was ever made from, and those that were made from it. @param depth 1 to 32 steps. */
export async function assetLineage(
  db: Db | DbTransaction,
  key: AssetKey,
  direction: LineageDirection,
  depth: number,
): Promise<AssetLineage> {
  const steps = Math.min(Math.max(1, depth), LINEAGE_LIMITS.depth);
  const up = direction === 'down' ? [] : await walk(db, key, steps, 'asset_key', 'upstream_asset_key');
  const down = direction === 'up' ? [] : await walk(db, key, steps, 'upstream_asset_key', 'asset_key');
  const upstream = up.slice(0, LINEAGE_LIMITS.assets);
  const downstream = down.slice(0, LINEAGE_LIMITS.assets);
  const names = [...new Set([key, ...upstream, ...downstream].map((node) => nameOf(node)))];
  const edges = await db
    .selectFrom('asset_dependencies')
    .select(['asset_key', 'upstream_asset_key'])
    .where('asset_key', 'in', names)
    .where('upstream_asset_key', 'in', names)
    .orderBy('asset_key')
    .orderBy('upstream_asset_key')
    .execute();
  return {
    upstream,
    downstream,
    edges: edges.map((edge) => ({
      assetKey: edge.asset_key as AssetKey,
      upstreamAssetKey: edge.upstream_asset_key as AssetKey,
    })),
    truncated: upstream.length < up.length || downstream.length < down.length,
  };
}

function nameOf(node: AssetKey | LineageNode): string {
  return typeof node === 'string' ? node : node.assetKey;
}

/** UNION drops an asset that was reached in as many steps before, which bounds the walk whatever the graph is like. */
async function walk(
  db: Db | DbTransaction,
  key: AssetKey,
  steps: number,
  from: 'asset_key' | 'upstream_asset_key',
  to: 'asset_key' | 'upstream_asset_key',
): Promise<LineageNode[]> {
  const { rows } = await sql<{ asset_key: AssetKey; depth: number }>`
    WITH RECURSIVE walk (asset_key, depth) AS (
      SELECT ${key}::text COLLATE "C", 0
      UNION
      SELECT ${sql.ref(`d.${to}`)}, w.depth + 1 FROM walk w
      JOIN asset_dependencies d ON ${sql.ref(`d.${from}`)} = w.asset_key
      WHERE w.depth < ${steps}
    )
    SELECT asset_key, min(depth)::int AS depth FROM walk WHERE asset_key <> ${key}
    GROUP BY asset_key ORDER BY 2, 1 LIMIT ${LINEAGE_LIMITS.assets + 1}`.execute(db);
  return rows.map((row) => ({ assetKey: row.asset_key, depth: row.depth }));
}

/** What each of these materializations read, with what is there now; in the order of the inputs' names. */
export async function inputsOf(
  db: Db | DbTransaction,
  materializationIds: readonly number[],
): Promise<ReadonlyMap<number, readonly InputVersions[]>> {
  const { rows } = await sql<{
    materialization_id: number;
    upstream_asset_key: string;
    upstream_partition_key: string;
    upstream_data_version: string;
    upstream_id: number | null;
    latest_id: number | null;
    latest_version: string | null;
  }>`
    SELECT l.materialization_id, l.upstream_asset_key, l.upstream_partition_key, l.upstream_data_version, l.upstream_id,
      m.materialization_id AS latest_id, m.data_version AS latest_version
    FROM asset_lineage l LEFT JOIN LATERAL (
      SELECT m.materialization_id, m.data_version FROM asset_materializations m
      WHERE m.asset_key = l.upstream_asset_key AND m.partition_key = l.upstream_partition_key
      ORDER BY m.materialization_id DESC LIMIT 1
    ) m ON true
    WHERE l.materialization_id = ANY (${[...materializationIds]}::bigint[])
    ORDER BY l.materialization_id, l.upstream_asset_key, l.upstream_partition_key`.execute(db);
  const inputs = new Map<number, InputVersions[]>();
  for (const row of rows) {
    const of = inputs.get(row.materialization_id) ?? [];
    inputs.set(row.materialization_id, of);
    of.push({
      assetKey: row.upstream_asset_key,
      partitionKey: row.upstream_partition_key,
      usedMaterializationId: row.upstream_id,
      usedDataVersion: row.upstream_data_version,
      latestMaterializationId: row.latest_id,
      latestDataVersion: row.latest_version,
    });
  }
  return inputs;
}

/** Whether an input of this materialization was written with other data since it was read. */
export async function stalenessOfMaterialization(
  db: Db | DbTransaction,
  materializationId: number,
): Promise<Staleness> {
  return stalenessOf((await inputsOf(db, [materializationId])).get(materializationId) ?? []);
}

/** Materializations that read this one, oldest first: what has to be looked at when it turns out to be wrong. */
export async function madeFrom(
  db: Db | DbTransaction,
  materializationId: number,
  limit: number,
): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('asset_lineage')
    .select('materialization_id')
    .where('upstream_id', '=', materializationId)
    .orderBy('materialization_id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.materialization_id);
}
