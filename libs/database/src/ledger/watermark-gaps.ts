/** Partitions that are expected and that nobody has seen: no watermark of a source, or no row of a manifest's stage. */
import { listGaps } from '@spine/core';
import { textArray } from '../sql/arrays.ts';
import { sql } from 'kysely';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';

/** What makes a partition be there. */
export type GapEvidence =
  | { readonly type: 'watermark'; readonly source: string }
  | { readonly type: 'manifest'; readonly stage: string };

/** Keys asked for by one statement. */
const CHUNK = 10_000;

/**
 * Those of `expected` that have no evidence in the domain, each once, in the order given. Asked for by key, so it costs
 * what is expected, not what is there.
 */
export async function findGaps(
  db: Db | DbTransaction,
  domain: string,
  expected: readonly PartitionKey[],
  evidence: GapEvidence,
): Promise<PartitionKey[]> {
  const byText = new Map(expected.map((key) => [partitionKeyText(key), key]));
  const texts = [...byText.keys()];
  const present: string[] = [];
  for (let from = 0; from < texts.length; from += CHUNK) {
    present.push(...(await presentOf(db, domain, texts.slice(from, from + CHUNK), evidence)));
  }
  return listGaps(texts, present)
    .map((text) => byText.get(text))
    .filter((key) => key !== undefined);
}

async function presentOf(
  db: Db | DbTransaction,
  domain: string,
  keys: readonly string[],
  evidence: GapEvidence,
): Promise<string[]> {
  const table =
    evidence.type === 'watermark'
      ? sql`watermarks WHERE domain = ${domain} AND source = ${evidence.source}`
      : sql`manifest WHERE domain = ${domain} AND stage = ${evidence.stage}`;
  const { rows } = await sql<{ partition_key: string }>`
    SELECT partition_key FROM ${table} AND partition_key = ANY(${textArray(keys)}::text[])`.execute(db);
  return rows.map(({ partition_key }) => partition_key);
}
