/**
 * Captures: what was known of a week and tier at one time.
 *
 * 1. A capture is a set of raw rows. The same set is the same capture, another set is another one, whatever raw rows call
 *    themselves; a capture is never changed and never deleted.
 * 2. A capture holds every row of its partition that was stored up to `capturedAt`. Whether it still does is checked
 *    whenever it is built again.
 * 3. Who makes or builds captures of a partition holds its lock: {@link lockPartition}.
 */
import { sql } from 'kysely';
import { InvariantError } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { Db, DbTransaction } from '@spine/database';
import { CaptureChangedError, MissingInputError } from '../errors.ts';
import { DOMAIN, INGEST_WEEK } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';
import { isoDate, isoInstant } from './columns.ts';
import { finra } from './tables.ts';

export interface TierWeek {
  readonly weekEnding: PlainDate;
  readonly tier: Tier;
}

export interface Capture extends TierWeek {
  readonly captureId: string;
  readonly rawDigest: string;
  readonly rawRows: number;
  /** RFC 3339 in UTC, to the microsecond. */
  readonly capturedAt: string;
}

/** The raw rows of a partition stored up to some time. */
interface RawSet {
  readonly rows: number;
  readonly digest: string;
  readonly capturedAt: string;
  /** What the newest row calls its capture. */
  readonly rawCaptureId: string;
}

/** Takes a partition's calculations for the rest of the transaction: two runs of it wait for each other. */
export async function lockPartition(trx: DbTransaction, name: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`${DOMAIN}:calc:${name}`}, 0))`.execute(trx);
}

/** How a partition is called in messages. */
export function describeWeek({ weekEnding, tier }: TierWeek): string {
  return `tier ${tier}, week ending ${weekEnding}`;
}

/** The newest capture of a partition; null for none. */
export async function newestCapture(db: Db | DbTransaction, of: TierWeek): Promise<Capture | null> {
  return (await selectCaptures(db, of).limit(1).execute())[0] ?? null;
}

/** The capture of a partition that has this id; null for none. */
export async function captureById(
  db: Db | DbTransaction,
  of: TierWeek,
  captureId: string,
): Promise<Capture | null> {
  return (await selectCaptures(db, of).where('capture_id', '=', captureId).execute())[0] ?? null;
}

/**
 * The capture that all raw rows of a partition are now, or that a capture id names: one that was made before, or the id of
 * an ingest, which stands for all rows stored up to its last one. Made where it is new.
 *
 * @throws MissingInputError when there are no such rows; CaptureChangedError when the rows of a named capture are others
 * than they were.
 */
export async function obtainCapture(
  trx: DbTransaction,
  of: TierWeek,
  requested: string | null,
  run: { readonly runId: string; readonly batchId: string | null },
): Promise<Capture> {
  const named = requested === null ? null : await captureById(trx, of, requested);
  if (named !== null) {
    const set = await rawSet(trx, of, named.capturedAt);
    if (set?.digest === named.rawDigest) return named;
    throw new CaptureChangedError(
      `capture ${named.captureId} held ${named.rawRows} rows and now would hold ${set?.rows ?? 0}; ` +
        'leave capture_id out to make a new capture',
    );
  }
  const until = requested === null ? null : await endOfIngest(trx, of, requested);
  const set = await rawSet(trx, of, until);
  if (set === null) {
    throw new MissingInputError(
      `there are no raw rows of ${describeWeek(of)}; run ${INGEST_WEEK} for that week and tier first`,
    );
  }
  const same = await selectCaptures(trx, of).where('raw_digest', '=', set.digest).execute();
  return same[0] ?? (await insertCapture(trx, of, set, run));
}

function selectCaptures(db: Db | DbTransaction, { weekEnding, tier }: TierWeek) {
  return finra(db)
    .selectFrom('finra_otc_captures')
    .select([
      'capture_id as captureId',
      isoDate('week_ending').as('weekEnding'),
      'tier',
      'raw_digest as rawDigest',
      'raw_rows as rawRows',
      isoInstant('captured_at').as('capturedAt'),
    ])
    .where('tier', '=', tier)
    .where('week_ending', '=', dateValue(weekEnding))
    .orderBy('captured_at', 'desc')
    .orderBy('created_at', 'desc');
}

/** A date as a parameter to compare with. */
function dateValue(date: PlainDate) {
  return sql<never>`${date}::date`;
}

async function endOfIngest(trx: DbTransaction, of: TierWeek, captureId: string): Promise<string> {
  const { end } = await finra(trx)
    .selectFrom('finra_otc_transparency_raw')
    .select(
      sql<string | null>`to_char(max(captured_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`.as(
        'end',
      ),
    )
    .where('week_ending', '=', dateValue(of.weekEnding))
    .where('tier', '=', of.tier)
    .where('capture_id', '=', captureId)
    .executeTakeFirstOrThrow();
  if (end !== null) return end;
  const known = await selectCaptures(trx, of).limit(5).execute();
  const names = known.map((capture) => capture.captureId).join(', ') || 'none yet';
  throw new MissingInputError(
    `capture_id: ${captureId} names neither a capture nor an ingest of ${describeWeek(of)}; the captures are: ${names}`,
  );
}

async function rawSet(trx: DbTransaction, of: TierWeek, until: string | null): Promise<RawSet | null> {
  const { rows } = await sql<{
    rows: number;
    digest: string;
    captured_at: string | null;
    raw_capture_id: string | null;
  }>`
    SELECT count(*) AS rows,
      encode(sha256(convert_to(coalesce(string_agg(record_hash, '' ORDER BY record_hash COLLATE "C"), ''), 'UTF8')), 'hex')
        AS digest,
      to_char(max(captured_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS captured_at,
      (array_agg(capture_id ORDER BY captured_at DESC, capture_id DESC))[1] AS raw_capture_id
    FROM finra_otc_transparency_raw
    WHERE week_ending = ${of.weekEnding}::date AND tier = ${of.tier}
      AND captured_at <= coalesce(${until}::timestamptz, 'infinity')`.execute(trx);
  const [found] = rows;
  if (found === undefined) throw new InvariantError('an aggregate without GROUP BY returned no row');
  const { captured_at, raw_capture_id, digest } = found;
  if (captured_at === null || raw_capture_id === null) return null;
  return { rows: found.rows, digest, capturedAt: captured_at, rawCaptureId: raw_capture_id };
}

/** Named as the ingest of its newest row; where that name is taken by another set of rows, with a number behind it. */
async function insertCapture(
  trx: DbTransaction,
  of: TierWeek,
  set: RawSet,
  run: { readonly runId: string; readonly batchId: string | null },
): Promise<Capture> {
  for (let number = 1; ; number += 1) {
    const captureId = number === 1 ? set.rawCaptureId : `${set.rawCaptureId}:${number}`;
    const { numInsertedOrUpdatedRows } = await finra(trx)
      .insertInto('finra_otc_captures')
      .values({
        capture_id: captureId,
        week_ending: of.weekEnding,
        tier: of.tier,
        raw_digest: set.digest,
        raw_rows: set.rows,
        captured_at: set.capturedAt,
        run_id: run.runId,
        batch_id: run.batchId,
      })
      .onConflict((conflict) => conflict.column('capture_id').doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 1n) {
      const { rows, digest, capturedAt } = set;
      return { ...of, captureId, rawDigest: digest, rawRows: rows, capturedAt };
    }
  }
}
