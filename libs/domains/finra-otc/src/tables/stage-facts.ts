import { partitionKeyText } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { PlainDate } from '@spine/core';
import type { StageFact, WeekFacts } from '../operations/backfill-plan.ts';
import { DOMAIN } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';

/** What the manifest says of weeks of a tier, in their order. */
export async function stageFacts(
  trx: DbTransaction,
  tier: Tier,
  weeks: readonly PlainDate[],
): Promise<WeekFacts[]> {
  const keys = new Map(weeks.map((week) => [partitionKeyText({ week_ending: week, tier }), week]));
  const rows = await trx
    .selectFrom('manifest')
    .select(['partition_key', 'stage', 'metrics', 'updated_at'])
    .where('domain', '=', DOMAIN)
    .where('partition_key', 'in', [...keys.keys()])
    .execute();
  const byWeek = new Map(weeks.map((week) => [week, new Map<string, StageFact>()]));
  for (const row of rows) {
    const week = keys.get(row.partition_key);
    if (week === undefined) continue;
    byWeek.get(week)?.set(row.stage, { captureId: captureOf(row.metrics), updatedAt: row.updated_at });
  }
  return [...byWeek].map(([week, stages]) => ({ week, stages }));
}

function captureOf(metrics: unknown): string | null {
  const id: unknown =
    typeof metrics === 'object' && metrics !== null ? Reflect.get(metrics, 'capture_id') : null;
  return typeof id === 'string' ? id : null;
}
