/** What is stored of a week: the stages of its tiers, and the same volume out of three tables. */
import { sql } from 'kysely';
import { manifestOf } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { PlainDate } from '@spine/core';
import { CALCS } from '../calcs/registry.ts';
import type { CalcName } from '../calcs/registry.ts';
import type { TierFacts, Totals } from '../operations/week-checks.ts';
import { DOMAIN } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';
import { newestCapture } from './captures.ts';
import { finra } from './tables.ts';

/** What is known of a tier's week now, by the current version of each calculation. */
export async function tierFacts(trx: DbTransaction, weekEnding: PlainDate, tier: Tier): Promise<TierFacts> {
  const reached = await manifestOf(trx, DOMAIN, { week_ending: weekEnding, tier });
  const captureId = (await newestCapture(trx, { weekEnding, tier }))?.captureId ?? null;
  const metric = (stage: string, name: string): unknown =>
    reached.find((row) => row.stage === stage)?.metrics[name];
  const rejected = count(metric('INGESTED', 'rejected')) - count(metric('INGESTED', 'repaired'));
  return {
    tier,
    captureId,
    stages: new Map(reached.map(({ stage, metrics }) => [stage, textOf(metrics['capture_id'])])),
    rows: {
      seen: count(metric('INGESTED', 'file_rows')),
      rejected: Math.max(0, rejected) + count(metric('NORMALIZED', 'rejected')),
    },
    totals: {
      normalized: await totalsOf(trx, 'finra_otc_normalized', 'normalize', captureId),
      symbols: await totalsOf(trx, 'finra_otc_symbol_summary', 'symbol_summary', captureId),
      venues: await totalsOf(trx, 'finra_otc_venue_share', 'venue_share', captureId),
    },
  };
}

type Summed = 'finra_otc_normalized' | 'finra_otc_symbol_summary' | 'finra_otc_venue_share';

async function totalsOf(
  trx: DbTransaction,
  table: Summed,
  calc: CalcName,
  captureId: string | null,
): Promise<Totals | null> {
  const { shares, trades } = await finra(trx)
    .selectFrom(table)
    .select([
      sql<string | null>`sum(total_shares)::text`.as('shares'),
      sql<string | null>`sum(total_trades)::text`.as('trades'),
    ])
    .where('capture_id', '=', captureId ?? '')
    .where('calc_version', '=', CALCS.current(calc))
    .executeTakeFirstOrThrow();
  return shares === null || trades === null ? null : { shares, trades };
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
