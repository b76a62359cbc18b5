/**
 * Writing what is known of assets: their definitions, that they were materialized from what, that they were looked at.
 *
 * 1. Materializations, their lineage and observations are appended; nothing changes or deletes them here.
 * 2. A materialization and its lineage commit together, in the caller's transaction or in one of their own.
 * 3. What a run says twice (same asset, partition and data version) is one materialization.
 * 4. An input is resolved in the transaction that records what was made of it, and is always older than that.
 */
import { sql } from 'kysely';
import { freshnessPolicy, ValidationError } from '@spine/core';
import type { AssetKey } from '@spine/core';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { resolveInputs } from './assets-inputs.ts';
import type { ResolvedInput, UpstreamRef } from './assets-inputs.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

export interface AssetDefinition {
  readonly assetKey: AssetKey;
  readonly domain: string;
  readonly description: string | null;
  /** Seconds the newest materialization may be old; null promises nothing. */
  readonly maxLagSeconds: number | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface NewMaterialization {
  readonly assetKey: AssetKey;
  readonly domain: string;
  /** `{}` for an asset that has no partitions. */
  readonly partitionKey: PartitionKey;
  readonly runId: string;
  readonly batchId: string | null;
  /** Version of the code that made it. */
  readonly codeVersion?: string | null;
  /** Names the data, e.g. its hash: equal versions hold equal data. Default `run:<runId>`. */
  readonly dataVersion?: string;
  readonly rowCount?: number | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** What it was made from. Default nothing. */
  readonly upstreams?: readonly UpstreamRef[];
}

export type MaterializationOutcome =
  | { readonly type: 'recorded'; readonly materializationId: number }
  /** This run has recorded the same before; nothing was written. */
  | { readonly type: 'known'; readonly materializationId: number };

export interface NewObservation {
  readonly assetKey: AssetKey;
  /** Default `{}`: of the asset as a whole. */
  readonly partitionKey?: PartitionKey;
  /** Null: by a person or a program outside. */
  readonly runId: string | null;
  readonly batchId?: string | null;
  /** Who looked, e.g. an operation or a person's name. */
  readonly observedBy: string;
  readonly dataVersion?: string | null;
  readonly rowCount?: number | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/**
 * Says what an asset is and how fresh it has to be; said again, the newest definition holds.
 *
 * @throws ValidationError for a lag that is not allowed.
 */
export async function defineAsset(db: Db | DbTransaction, definition: AssetDefinition): Promise<void> {
  const { maxLagSeconds } = freshnessPolicy(definition.maxLagSeconds);
  const values = {
    domain: definition.domain,
    description: definition.description,
    max_lag_seconds: maxLagSeconds,
    metadata: JSON.stringify(definition.metadata ?? {}),
  };
  await db
    .insertInto('assets')
    .values({ asset_key: definition.assetKey, ...values })
    .onConflict((conflict) =>
      conflict.column('asset_key').doUpdateSet({ ...values, updated_at: sql<Date>`now()` }),
    )
    .execute();
}

/**
 * Records that a run wrote a partition of an asset, and from what. An asset that nobody has defined is defined by it,
 * without a freshness policy.
 *
 * @throws ValidationError for an input that is not there, and for a row count that is no whole number from 0 on; then
 * nothing was written.
 */
export function recordMaterialization(
  db: Db | DbTransaction,
  materialization: NewMaterialization,
): Promise<MaterializationOutcome> {
  checkRowCount(materialization.rowCount);
  return atomically(db, async (trx) => {
    const { assetKey, runId } = materialization;
    const partition = partitionKeyText(materialization.partitionKey);
    const dataVersion = materialization.dataVersion ?? `run:${runId}`;
    const inputs = await resolveInputs(trx, materialization.upstreams ?? []);
    await knowAsset(trx, assetKey, materialization.domain);
    const written = await trx
      .insertInto('asset_materializations')
      .values({
        asset_key: assetKey,
        domain: materialization.domain,
        partition_key: partition,
        run_id: runId,
        batch_id: materialization.batchId,
        code_version: materialization.codeVersion ?? null,
        data_version: dataVersion,
        row_count: materialization.rowCount ?? null,
        metadata: JSON.stringify(materialization.metadata ?? {}),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('materialization_id')
      .executeTakeFirst();
    if (written === undefined) {
      const known = await trx
        .selectFrom('asset_materializations')
        .select('materialization_id')
        .where('run_id', '=', runId)
        .where('asset_key', '=', assetKey)
        .where('partition_key', '=', partition)
        .where('data_version', '=', dataVersion)
        .executeTakeFirstOrThrow();
      return { type: 'known', materializationId: known.materialization_id };
    }
    await writeLineage(trx, assetKey, written.materialization_id, inputs);
    return { type: 'recorded', materializationId: written.materialization_id };
  });
}

/**
 * Records that somebody looked at an asset that is known.
 *
 * @returns the observation's id, or null when there is no such asset.
 * @throws ValidationError for a row count that is no whole number from 0 on.
 */
export async function recordObservation(
  db: Db | DbTransaction,
  observation: NewObservation,
): Promise<{ observationId: number; observedAt: Date } | null> {
  checkRowCount(observation.rowCount);
  const row = await db
    .insertInto('asset_observations')
    .columns([
      'asset_key',
      'domain',
      'partition_key',
      'run_id',
      'batch_id',
      'observed_by',
      'data_version',
      'row_count',
      'metadata',
    ])
    .expression((eb) =>
      eb
        .selectFrom('assets')
        .select([
          'asset_key',
          'domain',
          sql<string>`${partitionKeyText(observation.partitionKey ?? {})}`.as('partition_key'),
          sql<string | null>`${observation.runId}::uuid`.as('run_id'),
          sql<string | null>`${observation.batchId ?? null}::text`.as('batch_id'),
          sql<string>`${observation.observedBy}::text`.as('observed_by'),
          sql<string | null>`${observation.dataVersion ?? null}::text`.as('data_version'),
          sql<number | null>`${observation.rowCount ?? null}::bigint`.as('row_count'),
          sql<string>`${JSON.stringify(observation.metadata ?? {})}::jsonb`.as('metadata'),
        ])
        .where('asset_key', '=', observation.assetKey),
    )
    .returning(['observation_id', 'observed_at'])
    .executeTakeFirst();
  return row === undefined ? null : { observationId: row.observation_id, observedAt: row.observed_at };
}

async function knowAsset(trx: Db | DbTransaction, key: AssetKey, domain: string): Promise<void> {
  await trx
    .insertInto('assets')
    .values({ asset_key: key, domain, description: null, max_lag_seconds: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function writeLineage(
  trx: Db | DbTransaction,
  key: AssetKey,
  id: number,
  inputs: readonly ResolvedInput[],
): Promise<void> {
  if (inputs.length === 0) return;
  await trx
    .insertInto('asset_lineage')
    .values(
      inputs.map((input) => ({
        materialization_id: id,
        upstream_asset_key: input.assetKey,
        upstream_partition_key: input.partition,
        upstream_data_version: input.dataVersion,
        upstream_id: input.id,
      })),
    )
    .execute();
  // In one order, so that two that know new dependencies at once never wait for each other in a circle.
  const names = [...new Set(inputs.map((input) => input.assetKey))].sort();
  await trx
    .insertInto('asset_dependencies')
    .values(names.map((name) => ({ asset_key: key, upstream_asset_key: name })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

function checkRowCount(count: number | null | undefined): void {
  if (count === null || count === undefined || (Number.isSafeInteger(count) && count >= 0)) return;
  const message = `given ${count}; allowed: a whole number from 0 on`;
  throw new ValidationError(`row_count: ${message}`, {
    issues: [{ field: 'row_count', code: 'invalid_count', message }],
  });
}
