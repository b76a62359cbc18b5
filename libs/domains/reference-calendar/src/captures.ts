/**
 * Captures of loaded calendars.
 *
 * 1. What a file says is stored once: the same again is the same capture, and something else is the next version. What was
 *    captured is never changed, so an earlier version can always be asked for.
 * 2. Versions of one exchange and year are made one after the other, under a lock that the transaction holds to its end:
 *    their numbers have no gap and their times are in the order of their numbers.
 */
import { sql } from 'kysely';
import type { Db, DbTransaction } from '@spine/database';
import type { CalendarEntry, CalendarFile } from './calendar-file.ts';
import { contentHash } from './calendar-file.ts';
import type { LocalTime } from './model.ts';
import { calendarTables } from './tables.ts';
import { DOMAIN } from './vocabulary.ts';

export interface CalendarCapture {
  /** `domain:exchange:year:vN`. */
  readonly captureId: string;
  readonly version: number;
}

/** What was stored: a new version, or the newest one, which says the same already. */
export type CaptureOutcome =
  | { readonly type: 'captured'; readonly capture: CalendarCapture }
  | { readonly type: 'unchanged'; readonly capture: CalendarCapture };

export interface CaptureSource {
  readonly sourceFile: string;
  /** SHA-256 of the file's bytes. */
  readonly sourceSha256: string;
  readonly runId: string;
  readonly batchId: string | null;
}

export async function captureCalendar(
  trx: DbTransaction,
  file: CalendarFile,
  source: CaptureSource,
): Promise<CaptureOutcome> {
  const { exchangeCode, year, entries } = file;
  const key = `${DOMAIN}:${exchangeCode}:${year}`;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(trx);
  const tables = calendarTables(trx);
  const newest = await tables
    .selectFrom('reference_calendar_captures')
    .select(['capture_id', 'version', 'content_hash'])
    .where('exchange_code', '=', exchangeCode)
    .where('year', '=', year)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  const content_hash = contentHash(file);
  if (newest?.content_hash === content_hash) {
    return { type: 'unchanged', capture: { captureId: newest.capture_id, version: newest.version } };
  }
  const version = (newest?.version ?? 0) + 1;
  const captureId = `${key}:v${version}`;
  await tables
    .insertInto('reference_calendar_captures')
    .values({
      capture_id: captureId,
      exchange_code: exchangeCode,
      year,
      version,
      content_hash,
      source_file: source.sourceFile,
      source_sha256: source.sourceSha256,
      run_id: source.runId,
      batch_id: source.batchId,
    })
    .execute();
  await tables
    .insertInto('reference_calendar_days')
    .values(
      entries.map(({ date, name, type, closeTime }) => ({
        capture_id: captureId,
        date,
        name,
        type,
        close_time: closeTime,
      })),
    )
    .execute();
  return { type: 'captured', capture: { captureId, version } };
}

/** A stored year with the capture it is of. */
export interface CapturedYear extends CalendarCapture {
  readonly year: number;
  readonly entries: readonly CalendarEntry[];
}

/**
 * The newest capture of each loaded year of an exchange, oldest year first.
 *
 * @param asOf what was known then: captures made later are left out. Default now.
 */
export async function capturedYears(
  db: Db | DbTransaction,
  exchangeCode: string,
  asOf?: Date,
): Promise<readonly CapturedYear[]> {
  const tables = calendarTables(db);
  let newest = tables
    .selectFrom('reference_calendar_captures')
    .distinctOn('year')
    .select(['capture_id', 'year', 'version'])
    .where('exchange_code', '=', exchangeCode)
    .orderBy('year')
    .orderBy('version', 'desc');
  if (asOf !== undefined) newest = newest.where('captured_at', '<=', asOf);
  const days = await tables
    .with('newest', () => newest)
    .selectFrom('newest as n')
    .innerJoin('reference_calendar_days as d', 'd.capture_id', 'n.capture_id')
    .select(['n.capture_id', 'n.year', 'n.version', sql<CalendarEntry['date']>`d.date::text`.as('date')])
    .select(['d.name', 'd.type', sql<LocalTime | null>`d.close_time`.as('close_time')])
    .orderBy('d.date')
    .execute();
  return [...Map.groupBy(days, ({ year }) => year)].map(([year, group]) => ({
    year,
    captureId: group[0]?.capture_id ?? '',
    version: group[0]?.version ?? 0,
    entries: group.map(({ date, name, type, close_time }) => ({ date, name, type, closeTime: close_time })),
  }));
}
