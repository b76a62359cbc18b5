/** Tables and indexes with their sizes and use, from Postgres' own statistics. They lag by about a second. */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';
import { deadRatio, tableHint } from './verdicts.ts';
import type { TableHint } from './verdicts.ts';

export interface TableFacts {
  readonly table: string;
  /** As the statistics have it. */
  readonly liveRows: number;
  readonly deadRows: number;
  /** Share of dead rows, 0 to 1. */
  readonly deadRatio: number;
  readonly hint: TableHint;
  /** Bytes of the table, its large values and its indexes together. */
  readonly totalBytes: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
  /** Large values kept beside the rows. */
  readonly toastBytes: number;
  readonly sequentialScans: number;
  readonly indexScans: number;
  /** By hand or by autovacuum; null for never. */
  readonly lastVacuumAt: Date | null;
  readonly lastAnalyzeAt: Date | null;
}

interface TableRow {
  table: string;
  live_rows: number;
  dead_rows: number;
  total_bytes: number;
  table_bytes: number;
  index_bytes: number;
  sequential_scans: number;
  index_scans: number;
  last_vacuum_at: Date | null;
  last_analyze_at: Date | null;
}

/** Every table of the `public` schema, the largest first. */
export async function listTables(db: Db): Promise<TableFacts[]> {
  const { rows } = await sql<TableRow>`
    SELECT s.relname AS table, s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows,
      pg_total_relation_size(s.relid) AS total_bytes, pg_relation_size(s.relid) AS table_bytes,
      pg_indexes_size(s.relid) AS index_bytes, COALESCE(s.seq_scan, 0) AS sequential_scans,
      COALESCE(s.idx_scan, 0) AS index_scans, GREATEST(s.last_vacuum, s.last_autovacuum) AS last_vacuum_at,
      GREATEST(s.last_analyze, s.last_autoanalyze) AS last_analyze_at
    FROM pg_stat_user_tables s WHERE s.schemaname = 'public'
    ORDER BY total_bytes DESC, s.relname`.execute(db);
  return rows.map((row) => {
    const counts = { liveRows: row.live_rows, deadRows: row.dead_rows };
    return {
      table: row.table,
      ...counts,
      deadRatio: deadRatio(counts),
      hint: tableHint(counts),
      totalBytes: row.total_bytes,
      tableBytes: row.table_bytes,
      indexBytes: row.index_bytes,
      // The rest: large values, with the maps that Postgres keeps of free space.
      toastBytes: Math.max(0, row.total_bytes - row.table_bytes - row.index_bytes),
      sequentialScans: row.sequential_scans,
      indexScans: row.index_scans,
      lastVacuumAt: row.last_vacuum_at,
      lastAnalyzeAt: row.last_analyze_at,
    };
  });
}

export interface IndexFacts {
  readonly index: string;
  readonly table: string;
  readonly bytes: number;
  /** Times it was used since the statistics began. */
  readonly scans: number;
  /** It enforces something (a primary key, uniqueness, an exclusion) and is needed also when nobody reads by it. */
  readonly enforces: boolean;
  /** Not used since the statistics began, and enforces nothing. */
  readonly unused: boolean;
  readonly definition: string;
}

export interface IndexReport {
  readonly indexes: readonly IndexFacts[];
  /** Since when uses are counted: an index is unused only as far as this shows. Null: since the database was made. */
  readonly countedSince: Date | null;
}

/** Every index of the `public` schema, the largest first. @param unusedOnly only those that nothing needs. */
export async function listIndexes(db: Db, unusedOnly: boolean): Promise<IndexReport> {
  const { rows } = await sql<{
    index: string;
    table: string;
    bytes: number;
    scans: number;
    enforces: boolean;
    definition: string;
  }>`
    SELECT s.indexrelname AS index, s.relname AS table, pg_relation_size(s.indexrelid) AS bytes,
      COALESCE(s.idx_scan, 0) AS scans, i.indisunique OR i.indisexclusion AS enforces,
      pg_get_indexdef(s.indexrelid) AS definition
    FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
    WHERE s.schemaname = 'public' AND (NOT ${unusedOnly}
      OR (COALESCE(s.idx_scan, 0) = 0 AND NOT i.indisunique AND NOT i.indisexclusion))
    ORDER BY bytes DESC, s.indexrelname`.execute(db);
  const since = await sql<{ since: Date | null }>`
    SELECT stats_reset AS since FROM pg_stat_database WHERE datname = current_database()`.execute(db);
  return {
    indexes: rows.map((row) => ({ ...row, unused: row.scans === 0 && !row.enforces })),
    countedSince: since.rows[0]?.since ?? null,
  };
}
