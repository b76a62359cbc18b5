/** Which materializations another one was made from: names become the rows they stand for. */
import { ValidationError } from '@spine/core';
import type { AssetKey } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

/** What a materialization read. */
export type UpstreamRef =
  /** Exactly this materialization: what to use when the input was read before this transaction. */
  | { readonly type: 'materialization'; readonly materializationId: number }
  /** The newest materialization of this asset and partition at the time of recording. */
  | { readonly type: 'latest'; readonly assetKey: AssetKey; readonly partitionKey: PartitionKey }
  /** Something that nobody materializes here, such as a file; its version is for example the file's SHA-256. */
  | {
      readonly type: 'source';
      readonly assetKey: AssetKey;
      readonly partitionKey: PartitionKey;
      readonly dataVersion: string;
    };

/** An input as lineage keeps it. */
export interface ResolvedInput {
  /** Null: a source. */
  readonly id: number | null;
  readonly assetKey: string;
  /** Canonical JSON. */
  readonly partition: string;
  readonly dataVersion: string;
}

/**
 * The inputs, each once.
 *
 * @throws ValidationError for one that does not exist, and for one asset and partition in two versions.
 */
export async function resolveInputs(
  trx: Db | DbTransaction,
  upstreams: readonly UpstreamRef[],
): Promise<ResolvedInput[]> {
  const inputs = new Map<string, ResolvedInput>();
  for (const [index, upstream] of upstreams.entries()) {
    const input = await resolveOne(trx, upstream, `upstreams[${index}]`);
    const name = JSON.stringify([input.assetKey, input.partition]);
    const other = inputs.get(name);
    if (other !== undefined && (other.id !== input.id || other.dataVersion !== input.dataVersion)) {
      throw refused(`upstreams[${index}]`, 'conflict', `names ${name} in a second version`);
    }
    inputs.set(name, input);
  }
  return [...inputs.values()];
}

async function resolveOne(
  trx: Db | DbTransaction,
  upstream: UpstreamRef,
  field: string,
): Promise<ResolvedInput> {
  if (upstream.type === 'source') {
    const partition = partitionKeyText(upstream.partitionKey);
    return { id: null, assetKey: upstream.assetKey, partition, dataVersion: upstream.dataVersion };
  }
  const rows = trx
    .selectFrom('asset_materializations')
    .select(['materialization_id', 'asset_key', 'partition_key', 'data_version']);
  const row =
    upstream.type === 'materialization'
      ? await rows.where('materialization_id', '=', upstream.materializationId).executeTakeFirst()
      : await rows
          .where('asset_key', '=', upstream.assetKey)
          .where('partition_key', '=', partitionKeyText(upstream.partitionKey))
          .orderBy('materialization_id', 'desc')
          .limit(1)
          .executeTakeFirst();
  if (row === undefined) {
    const what =
      upstream.type === 'materialization'
        ? `materialization ${upstream.materializationId}`
        : `a materialization of ${upstream.assetKey} ${partitionKeyText(upstream.partitionKey)}`;
    throw refused(field, 'unknown_upstream', `${what} does not exist`);
  }
  return {
    id: row.materialization_id,
    assetKey: row.asset_key,
    partition: row.partition_key,
    dataVersion: row.data_version,
  };
}

function refused(field: string, code: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, { issues: [{ field, code, message }] });
}
