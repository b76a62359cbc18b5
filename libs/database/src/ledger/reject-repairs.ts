/**
 * Repairs: what runs found out about rejects that they judged again.
 *
 * 1. A reject is closed by exactly one repair. The trigger of the table closes it in the same statement and refuses a
 *    repair of a reject that is not open; a unique index refuses what the trigger would miss.
 * 2. A run judges a reject once (primary key), so a run that starts again goes on with those it has not judged.
 * 3. Replays of one domain and stage take turns page by page: a page is read after the lock was given, so what another
 *    replay has closed meanwhile is not in it.
 */
import { sql } from 'kysely';
import { toStorableText } from '@spine/core';
import type { RepairOutcome, ReplayVerdict } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { COUNTED_ROWS } from './pages.ts';
import { filterRejects, toReject } from './rejects.ts';
import type { RejectFilter, StoredReject } from './rejects.ts';

export interface RejectRepair {
  readonly rejectId: string;
  /** The run that judged it again. */
  readonly runId: string;
  readonly outcome: RepairOutcome;
  /** The rules it was judged by. */
  readonly ruleVersion: string;
  /** Why it is refused still; null where it is not. */
  readonly reasonCode: string | null;
  readonly reasonDetail: string | null;
  readonly createdAt: Date;
}

/** Which open rejects a replay judges again. */
export type ReplayFilter = Omit<RejectFilter, 'open' | 'runId' | 'domain' | 'stage'> & {
  readonly domain: string;
  readonly stage: string;
};

/** A judged reject, for {@link writeRepairs}. */
export interface JudgedReject {
  readonly rejectId: string;
  readonly verdict: ReplayVerdict;
}

/** Lets one replay of a domain and stage work at a time, for the rest of the transaction. */
export async function takeReplayTurn(trx: DbTransaction, domain: string, stage: string): Promise<void> {
  const key = `replay_rejects:${domain}:${stage}`;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(trx);
}

/** The statement of {@link openRejectsAfter}. */
export function openRejectQuery(
  db: Db | DbTransaction,
  filter: ReplayFilter,
  runId: string,
  page: { readonly after: string; readonly upTo: string; readonly limit: number },
) {
  return filterRejects(db, { ...filter, open: true })
    .selectAll()
    .where('reject_id', '>', Number(page.after))
    .where('reject_id', '<=', Number(page.upTo))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('reject_repairs')
            .select('outcome')
            .whereRef('reject_repairs.reject_id', '=', 'rejects.reject_id')
            .where('reject_repairs.run_id', '=', runId),
        ),
      ),
    )
    .orderBy('reject_id')
    .limit(page.limit);
}

/** Open rejects that the run has not judged yet, oldest first, from after `after` up to `upTo`. */
export async function openRejectsAfter(
  trx: DbTransaction,
  filter: ReplayFilter,
  runId: string,
  page: { readonly after: string; readonly upTo: string; readonly limit: number },
): Promise<StoredReject[]> {
  return (await openRejectQuery(trx, filter, runId, page).execute()).map(toReject);
}

/** The id of the newest reject there is; '0' for none. A replay ends there, whatever is refused meanwhile. */
export async function newestRejectId(db: Db | DbTransaction): Promise<string> {
  const row = await db
    .selectFrom('rejects')
    .select('reject_id')
    .orderBy('reject_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return String(row?.reject_id ?? 0);
}

/** The stages in which a domain has open rejects, by name. */
export async function stagesWithOpenRejects(db: Db | DbTransaction, domain: string): Promise<string[]> {
  const { rows } = await openStagesQuery(domain).execute(db);
  return rows.map(({ stage }) => stage);
}

/** The statement of {@link stagesWithOpenRejects}. */
export function openStagesQuery(domain: string) {
  // Walks from stage to stage, not over the rejects of one.
  return sql<{ stage: string }>`
    WITH RECURSIVE stages AS (
      (SELECT stage FROM rejects WHERE domain = ${domain} AND closed_at IS NULL ORDER BY domain, stage LIMIT 1)
      UNION ALL
      SELECT (SELECT n.stage FROM rejects n WHERE n.domain = ${domain} AND n.stage > s.stage AND n.closed_at IS NULL
        ORDER BY n.domain, n.stage LIMIT 1)
      FROM stages s WHERE s.stage IS NOT NULL
    )
    SELECT stage FROM stages WHERE stage IS NOT NULL ORDER BY stage`;
}

/**
 * Appends what a run found out about rejects, and closes those that need no more work.
 * @throws a constraint violation (23000, 23505) when one of them is not open, or the run has judged it before; then
 * nothing of it is written.
 */
export async function writeRepairs(
  trx: DbTransaction,
  runId: string,
  ruleVersion: string,
  judged: readonly JudgedReject[],
): Promise<void> {
  if (judged.length === 0) return;
  await trx
    .insertInto('reject_repairs')
    .values(
      judged.map(({ rejectId, verdict }) => ({
        reject_id: Number(rejectId),
        run_id: runId,
        outcome: verdict.outcome,
        rule_version: ruleVersion,
        reason_code: verdict.outcome === 'still_rejected' ? verdict.reasonCode : null,
        reason_detail: verdict.outcome === 'still_rejected' ? toStorableText(verdict.reasonDetail) : null,
      })),
    )
    .execute();
}

/** What a run found out, in figures: `replayed` is the sum of the others. */
export interface RepairTally {
  readonly replayed: number;
  readonly repaired: number;
  readonly superseded: number;
  readonly stillRejected: number;
}

/** What a run has found out so far, over all its attempts. */
export async function repairTally(db: Db | DbTransaction, runId: string): Promise<RepairTally> {
  const rows = await db
    .selectFrom('reject_repairs')
    .select(['outcome', sql<number>`count(*)::int`.as('count')])
    .where('run_id', '=', runId)
    .groupBy('outcome')
    .execute();
  const of = (outcome: RepairOutcome): number => rows.find((row) => row.outcome === outcome)?.count ?? 0;
  const repaired = of('repaired');
  const superseded = of('superseded');
  const stillRejected = of('still_rejected');
  return { replayed: repaired + superseded + stillRejected, repaired, superseded, stillRejected };
}

/** Open rejects that a replay would judge again, counted up to 10,000. */
export interface OpenCount {
  readonly total: number;
  readonly totalIsCapped: boolean;
  /** Of those that were counted. */
  readonly byReason: readonly {
    readonly stage: string;
    readonly reasonCode: string;
    readonly count: number;
  }[];
}

/** The statement of {@link countOpenRejects}. */
export function openCountQuery(db: Db | DbTransaction, filter: Omit<RejectFilter, 'open'>) {
  const counted = filterRejects(db, { ...filter, open: true })
    .select(['stage', 'reason_code'])
    .limit(COUNTED_ROWS);
  return sql<{ stage: string; reason_code: string; count: number }>`
    SELECT stage, reason_code, count(*)::int AS count FROM ${counted} m GROUP BY 1, 2 ORDER BY 1, 2`;
}

export async function countOpenRejects(
  db: Db | DbTransaction,
  filter: Omit<RejectFilter, 'open'>,
): Promise<OpenCount> {
  const { rows } = await openCountQuery(db, filter).execute(db);
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  return {
    total: Math.min(total, COUNTED_ROWS - 1),
    totalIsCapped: total >= COUNTED_ROWS,
    byReason: rows.map((row) => ({ stage: row.stage, reasonCode: row.reason_code, count: row.count })),
  };
}

/** Repairs of a reject shown at the most. */
const MOST_REPAIRS = 1_000;

/** What runs found out about a reject, newest first, at most 1,000. */
export async function repairsOf(db: Db | DbTransaction, rejectId: string): Promise<RejectRepair[]> {
  const rows = await db
    .selectFrom('reject_repairs')
    .selectAll()
    .where('reject_id', '=', Number(rejectId))
    .orderBy('run_id', 'desc')
    .limit(MOST_REPAIRS)
    .execute();
  return rows.map((row) => ({
    rejectId: String(row.reject_id),
    runId: row.run_id,
    outcome: row.outcome,
    ruleVersion: row.rule_version,
    reasonCode: row.reason_code,
    reasonDetail: row.reason_detail,
    createdAt: row.created_at,
  }));
}
