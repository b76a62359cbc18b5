import type { ColumnType } from 'kysely';
import type { Db, DbTransaction } from '@spine/database';
import type { EntryType } from './calendar-file.ts';

interface CapturesTable {
  readonly capture_id: string;
  readonly exchange_code: string;
  readonly year: number;
  readonly version: number;
  readonly content_hash: string;
  readonly captured_at: ColumnType<Date, Date | undefined, never>;
  readonly source_file: string;
  readonly source_sha256: string;
  readonly run_id: string;
  readonly batch_id: string | null;
}

interface DaysTable {
  readonly capture_id: string;
  /** Selected as text, never as it is: the driver would make an instant of it. */
  readonly date: string;
  readonly name: string;
  readonly type: EntryType;
  readonly close_time: string | null;
}

/** The database with the tables of migration 0013. */
export const calendarTables = (db: Db | DbTransaction) =>
  db.withTables<{ reference_calendar_captures: CapturesTable; reference_calendar_days: DaysTable }>();
