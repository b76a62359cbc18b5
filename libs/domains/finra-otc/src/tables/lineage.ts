/**
 * From a file to a figure, as assets: `weekly_files` (a source) -> `raw` -> `capture` -> every calculation.
 *
 * A capture is one partition of its asset, materialized once, by the run that made it. What it was made of is not the newest
 * state of the raw rows but the one it ends with: that of the run which stored its newest row.
 */
import { sql } from 'kysely';
import { assetKey } from '@spine/core';
import type { AssetKey } from '@spine/core';
import { latestMaterialization, partitionKeyText } from '@spine/database';
import type { DbTransaction, UpstreamRef } from '@spine/database';
import type { Publication } from '@spine/execution';
import { DOMAIN } from '../vocabulary.ts';
import type { Capture } from './captures.ts';

/** An asset of this domain. */
export function assetOf(name: string): AssetKey {
  return assetKey(...DOMAIN.split('.'), name);
}

export const RAW_ASSET = assetOf('raw');
const CAPTURE_ASSET = assetOf('capture');

const keyOf = (captureId: string) => ({ capture_id: captureId });

/** Says of what a capture was made, once. */
export async function materializeCapture(publication: Publication, capture: Capture): Promise<void> {
  const { captureId, rawDigest, rawRows } = capture;
  const partitionKey = keyOf(captureId);
  if ((await latestMaterialization(publication.trx, CAPTURE_ASSET, partitionKey)) !== null) return;
  const materializationId = await rawMaterialization(publication.trx, capture);
  await publication.materialize({
    assetKey: CAPTURE_ASSET,
    domain: DOMAIN,
    partitionKey,
    // A capture never changes: its name is its version.
    dataVersion: captureId,
    rowCount: rawRows,
    metadata: { raw_digest: rawDigest },
    upstreams: materializationId === null ? [] : [{ type: 'materialization', materializationId }],
  });
}

/** Captures as what a calculation was made of; one from before captures were materialized is named as a source. */
export async function captureUpstreams(
  trx: DbTransaction,
  captureIds: readonly string[],
): Promise<UpstreamRef[]> {
  const upstreams: UpstreamRef[] = [];
  for (const captureId of captureIds) {
    const partitionKey = keyOf(captureId);
    const known = await latestMaterialization(trx, CAPTURE_ASSET, partitionKey);
    upstreams.push(
      known === null
        ? { type: 'source', assetKey: CAPTURE_ASSET, partitionKey, dataVersion: captureId }
        : { type: 'materialization', materializationId: known.materializationId },
    );
  }
  return upstreams;
}

/** Null for rows that were stored before raw rows were an asset. */
async function rawMaterialization(
  trx: DbTransaction,
  { weekEnding, tier, capturedAt }: Capture,
): Promise<number | null> {
  const partition = partitionKeyText({ week_ending: weekEnding, tier });
  const { rows } = await sql<{ id: number }>`
    SELECT m.materialization_id AS id FROM asset_materializations m
    WHERE m.asset_key = ${RAW_ASSET} AND m.partition_key = ${partition} AND m.run_id = (
      SELECT r.run_id FROM finra_otc_transparency_raw r
      WHERE r.week_ending = ${weekEnding}::date AND r.tier = ${tier} AND r.captured_at = ${capturedAt}::timestamptz LIMIT 1)
    ORDER BY m.materialization_id DESC LIMIT 1`.execute(trx);
  return rows[0]?.id ?? null;
}
