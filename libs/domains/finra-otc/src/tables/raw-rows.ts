import { sql } from 'kysely';
import type { DbTransaction } from '@spine/database';
import type { RawRow } from '../calcs/normalize.ts';
import type { Capture } from './captures.ts';
import { isoDate, isoInstant } from './columns.ts';
import { finra } from './tables.ts';

/** Rows in memory at a time. */
const PAGE = 5_000;

/** The raw rows of a capture, in pages: every row of its partition that was stored up to its time. */
export async function* rawRowsOf(
  trx: DbTransaction,
  { weekEnding, tier, capturedAt }: Capture,
): AsyncGenerator<readonly RawRow[], void, undefined> {
  let after: { readonly symbol: string; readonly recordHash: string } | null = null;
  for (;;) {
    const last: typeof after = after;
    const page: readonly RawRow[] = await selectRawRows(trx)
      .where(sql<boolean>`week_ending = ${weekEnding}::date`)
      .where('tier', '=', tier)
      .where(sql<boolean>`captured_at <= ${capturedAt}::timestamptz`)
      .$if(last !== null, (query) =>
        query.where(sql<boolean>`(symbol, record_hash) > (${last?.symbol ?? ''}, ${last?.recordHash ?? ''})`),
      )
      .orderBy('symbol')
      .orderBy('record_hash')
      .limit(PAGE)
      .execute();
    if (page.length > 0) yield page;
    after = page.at(-1) ?? null;
    if (after === null || page.length < PAGE) return;
  }
}

/** Stored rows by their hashes; a hash without a row is left out. */
export async function rawRowsByHash(
  trx: DbTransaction,
  recordHashes: readonly string[],
): Promise<ReadonlyMap<string, RawRow>> {
  const rows: readonly RawRow[] = await selectRawRows(trx)
    .where('record_hash', 'in', [...recordHashes])
    .execute();
  return new Map(rows.map((row) => [row.recordHash, row]));
}

function selectRawRows(trx: DbTransaction) {
  return finra(trx)
    .selectFrom('finra_otc_transparency_raw')
    .select([
      'record_hash as recordHash',
      'symbol',
      'issue_name as issueName',
      'venue_name as venueName',
      'mpid',
      'total_shares as totalShares',
      sql<string>`total_trades::text`.as('totalTrades'),
      isoDate('last_update_date').as('lastUpdateDate'),
      isoInstant('captured_at').as('capturedAt'),
      'source_file as sourceFile',
      'source_sha256 as sourceSha256',
      'source_line as sourceLine',
    ]);
}
