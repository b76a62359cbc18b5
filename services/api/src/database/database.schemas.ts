/** Queries, bodies and answers of the database endpoints. */
import { z } from 'zod';
import { LEDGER_RETENTION, LEDGER_TABLES, MAX_RETENTION_DAYS, PURGEABLE_TABLES } from '@spine/core';
import type {
  DatabaseHealth,
  IndexReport,
  RetentionFinding,
  SchemaFacts,
  TableFacts,
  VacuumOutcome,
} from '@spine/database';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { flag } from '../http/query-values.ts';

const instant = z.iso.datetime();
const bytes = z.int().describe('Bytes.');

export const tableListQuery = z.strictObject(cursorPaging);
export type TableListQuery = z.infer<typeof tableListQuery>;

export const retentionQuery = z.strictObject(offsetPaging);
export type RetentionQuery = z.infer<typeof retentionQuery>;

export const indexListQuery = z.strictObject({
  unused: flag.default(true).describe('false lists every index. Default true.'),
  ...offsetPaging,
});
export type IndexListQuery = z.infer<typeof indexListQuery>;

export const vacuumBody = z
  .strictObject({ table: z.string().min(1).max(63).describe('A table that GET /database/tables names.') })
  .meta({ id: 'VacuumRequest' });
export type VacuumBody = z.infer<typeof vacuumBody>;

export const purgeBody = z
  .strictObject({
    table: z
      .string()
      .min(1)
      .max(63)
      .describe(`One of ${PURGEABLE_TABLES.join(', ')}.`),
    older_than_days: z.int().min(1).max(MAX_RETENTION_DAYS).describe('Not under the minimum of the table.'),
    dry_run: z.boolean().default(true).describe('false deletes. Default true.'),
    after: z
      .int()
      .min(0)
      .nullable()
      .default(null)
      .describe('`next_after` of the request before, which ended before everything was looked at.'),
  })
  .meta({ id: 'LedgerPurgeRequest' });
export type PurgeBody = z.infer<typeof purgeBody>;

export const databaseHealthJson = z
  .object({
    status: z.enum(['ok', 'degraded']),
    problems: z.array(z.object({ code: z.string(), message: z.string() })),
    server_version: z.string(),
    size_bytes: bytes,
    connections: z.int().describe('Of the whole server.'),
    max_connections: z.int(),
    waiting_for_locks: z.int(),
    cache_hit_ratio: z.number().nullable().describe('0 to 1.'),
    deadlocks: z.int(),
    transaction_age: z.int(),
    now: instant.describe('The database’s clock.'),
  })
  .meta({ id: 'DatabaseHealth' });

export const tableJson = z
  .object({
    table: z.string(),
    live_rows: z.int().describe('By the statistics.'),
    dead_rows: z.int(),
    dead_ratio: z.number(),
    hint: z.enum(['none', 'vacuum']),
    total_bytes: bytes,
    table_bytes: bytes,
    index_bytes: bytes,
    toast_bytes: bytes,
    sequential_scans: z.int(),
    index_scans: z.int(),
    last_vacuum_at: instant.nullable(),
    last_analyze_at: instant.nullable(),
  })
  .meta({ id: 'DatabaseTable' });

export const indexJson = z
  .object({
    index: z.string(),
    table: z.string(),
    bytes,
    scans: z.int(),
    enforces: z.boolean().describe('A key, uniqueness or an exclusion: needed also when nobody reads by it.'),
    unused: z.boolean(),
    definition: z.string(),
    counted_since: instant.nullable().describe('Since when uses are counted; null since the beginning.'),
  })
  .meta({ id: 'DatabaseIndex' });

export const schemaJson = z
  .object({
    tables: z.array(
      z.object({
        table: z.string(),
        columns: z.array(
          z.object({
            column: z.string(),
            type: z.string(),
            nullable: z.boolean(),
            default: z.string().nullable(),
          }),
        ),
        constraints: z.array(z.object({ constraint: z.string(), definition: z.string() })),
        indexes: z.array(z.string()),
        triggers: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'DatabaseSchema' });

export const vacuumedJson = z
  .object({
    table: z.string(),
    duration_ms: z.int(),
    dead_rows_before: z.int(),
    bytes_before: bytes,
    bytes_after: bytes,
  })
  .meta({ id: 'DatabaseVacuumed' });

export const retentionJson = z
  .object({
    table: z.string(),
    keep: z.enum(['at_least', 'forever']),
    because: z.string(),
    minimum_days: z.int().nullable().describe('Null for a table that is kept forever.'),
    older_than_days: z.int().nullable().describe('The period that `eligible` is about.'),
    eligible: z.int().nullable().describe('Rows that would go, counted up to 10,000.'),
    eligible_is_capped: z.boolean(),
    oldest_at: instant.nullable(),
  })
  .meta({ id: 'LedgerRetention' });

export const purgedJson = z
  .object({
    table: z.string(),
    older_than_days: z.int(),
    dry_run: z.boolean(),
    eligible: z.int().describe('Rows that would go, counted before, up to 10,000.'),
    eligible_is_capped: z.boolean(),
    deleted: z.int(),
    next_after: z
      .int()
      .nullable()
      .describe('One request takes a few seconds at the most: pass it as `after` for the rest. Null: done.'),
  })
  .meta({ id: 'LedgerPurged' });

export function toDatabaseHealthJson(health: DatabaseHealth): z.infer<typeof databaseHealthJson> {
  return {
    status: health.status,
    problems: health.problems.map(({ code, message }) => ({ code, message })),
    server_version: health.serverVersion,
    size_bytes: health.sizeBytes,
    connections: health.connections,
    max_connections: health.maxConnections,
    waiting_for_locks: health.waitingForLocks,
    cache_hit_ratio: health.cacheHitRatio,
    deadlocks: health.deadlocks,
    transaction_age: health.transactionAge,
    now: health.now.toISOString(),
  };
}

export function toTableJson(table: TableFacts): z.infer<typeof tableJson> {
  return {
    table: table.table,
    live_rows: table.liveRows,
    dead_rows: table.deadRows,
    dead_ratio: table.deadRatio,
    hint: table.hint,
    total_bytes: table.totalBytes,
    table_bytes: table.tableBytes,
    index_bytes: table.indexBytes,
    toast_bytes: table.toastBytes,
    sequential_scans: table.sequentialScans,
    index_scans: table.indexScans,
    last_vacuum_at: table.lastVacuumAt?.toISOString() ?? null,
    last_analyze_at: table.lastAnalyzeAt?.toISOString() ?? null,
  };
}

export function toIndexJsons({ indexes, countedSince }: IndexReport): z.infer<typeof indexJson>[] {
  return indexes.map((index) => ({ ...index, counted_since: countedSince?.toISOString() ?? null }));
}

export function toSchemaJson({ tables }: SchemaFacts): z.infer<typeof schemaJson> {
  return {
    tables: tables.map((table) => ({
      ...table,
      columns: [...table.columns],
      constraints: [...table.constraints],
      indexes: [...table.indexes],
      triggers: [...table.triggers],
    })),
  };
}

export function toVacuumedJson(
  outcome: Extract<VacuumOutcome, { type: 'vacuumed' }>,
): z.infer<typeof vacuumedJson> {
  return {
    table: outcome.table,
    duration_ms: outcome.durationMs,
    dead_rows_before: outcome.deadRowsBefore,
    bytes_before: outcome.bytesBefore,
    bytes_after: outcome.bytesAfter,
  };
}

/** Every table of the ledger with its rule, and of those that may lose rows what would go now. */
export function toRetentionJsons(findings: readonly RetentionFinding[]): z.infer<typeof retentionJson>[] {
  return LEDGER_TABLES.map((table) => {
    const { keep, because } = LEDGER_RETENTION[table];
    const finding = findings.find((each) => each.table === table);
    return {
      table,
      keep,
      because,
      minimum_days: finding?.minimumDays ?? null,
      older_than_days: finding?.olderThanDays ?? null,
      eligible: finding?.eligible ?? null,
      eligible_is_capped: finding?.eligibleIsCapped ?? false,
      oldest_at: finding?.oldest?.toISOString() ?? null,
    };
  });
}
