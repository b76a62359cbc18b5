/** `spine db status`: what the database has, what it lacks, how large it is, and what may go. Only reads. */
import {
  asQueryable,
  createDb,
  createPool,
  inspectServer,
  listTables,
  migrationStatus,
  purgeableRuns,
  retentionReport,
} from '@spine/database';
import type { Db, MigrationStatus, TableFacts } from '@spine/database';
import { isPurgeable } from '@spine/core';
import type { CliContext } from '../frame/context.ts';
import { timeCell } from '../frame/cells.ts';
import { fieldsText, tableText } from '../frame/table.ts';
import type { Column, Paint } from '../frame/table.ts';
import type { LocalDatabase } from './target.ts';

/** Tables that a person is shown; JSON has all. */
const SHOWN_TABLES = 10;
/** For questions that count runs of a period nobody has named. */
const A_DAY = 1;

interface Sizes {
  readonly size: number;
  readonly tables: readonly TableFacts[];
}

interface Kept {
  readonly table: string;
  /** Null: kept until somebody purges. */
  readonly older_than_days: number | null;
  /** That a purge would take now, of the period that is set, else of the shortest allowed one. */
  readonly eligible: number;
  readonly eligible_is_capped: boolean;
  readonly oldest_at: string | null;
}

async function sizesOf(db: Db): Promise<Sizes> {
  const { rows } = await asQueryable(db).query<{ size: number }>({
    text: 'SELECT pg_database_size(current_database()) AS size',
  });
  return { size: rows[0]?.size ?? 0, tables: await listTables(db) };
}

async function keptOf(db: Db, { settings }: LocalDatabase): Promise<Kept[]> {
  const { days, ledger } = settings.retention;
  const runs = await purgeableRuns(asQueryable(db), days ?? A_DAY);
  const tables = await retentionReport(db, ledger);
  return [
    {
      table: 'runs',
      older_than_days: days ?? null,
      eligible: runs.eligible,
      eligible_is_capped: runs.eligibleIsCapped,
      oldest_at: runs.oldest?.toISOString() ?? null,
    },
    ...tables.map((found) => ({
      table: found.table,
      older_than_days: (isPurgeable(found.table) ? ledger.get(found.table) : undefined) ?? null,
      eligible: found.eligible,
      eligible_is_capped: found.eligibleIsCapped,
      oldest_at: found.oldest?.toISOString() ?? null,
    })),
  ];
}

function schemaJson({ applied, plan }: MigrationStatus) {
  return {
    version: applied.at(-1)?.version ?? 0,
    applied: applied.map(({ name, appliedAt }) => ({ name, applied_at: appliedAt.toISOString() })),
    pending: plan.type === 'apply' ? plan.pending.map(({ name }) => name) : [],
    problem: plan.type === 'apply' ? null : { type: plan.type, migration: plan.name },
  };
}

function sizeCell(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}

const TABLE_COLUMNS: readonly Column<TableFacts>[] = [
  { head: 'TABLE', cell: ({ table }) => table },
  { head: 'ROWS', cell: ({ liveRows }) => liveRows, align: 'right' },
  { head: 'DEAD', cell: ({ deadRows }) => deadRows, align: 'right' },
  { head: 'SIZE', cell: ({ totalBytes }) => sizeCell(totalBytes), align: 'right' },
];

const KEPT_COLUMNS: readonly Column<Kept>[] = [
  { head: 'KEPT', cell: ({ table }) => table },
  { head: 'DAYS', cell: ({ older_than_days: days }) => days ?? 'until purged', align: 'right' },
  { head: 'MAY GO', cell: (kept) => `${kept.eligible}${kept.eligible_is_capped ? '+' : ''}`, align: 'right' },
  { head: 'OLDEST', cell: ({ oldest_at: oldest }) => timeCell(oldest) },
];

export async function showStatus(local: LocalDatabase, { out }: CliContext): Promise<void> {
  const { connectionString, address } = local;
  const pool = createPool({ connectionString, role: null, max: 2, applicationName: 'spine-db-status' });
  const db = createDb(pool);
  try {
    const on = asQueryable(db);
    const server = await inspectServer(on);
    const schema = schemaJson(await migrationStatus(on));
    const { size, tables } = await sizesOf(db);
    // An older schema lacks what is asked for; what is pending has been said.
    const isWhole = schema.pending.length === 0;
    const kept = isWhole ? await keptOf(db, local) : [];
    const answer = {
      address,
      server_version: server.version,
      size_bytes: size,
      schema,
      tables: tables.map(({ table, liveRows, deadRows, totalBytes }) => ({
        table,
        live_rows: liveRows,
        dead_rows: deadRows,
        total_bytes: totalBytes,
      })),
      retention: kept,
    };
    await out.answer(answer, () => human(answer, tables, out.paint));
  } finally {
    await db.destroy();
  }
}

interface Shown {
  readonly address: string;
  readonly server_version: string;
  readonly size_bytes: number;
  readonly schema: ReturnType<typeof schemaJson>;
  readonly retention: readonly Kept[];
}

function human(status: Shown, tables: readonly TableFacts[], paint: Paint): string {
  const { applied, pending, problem, version } = status.schema;
  const fields = fieldsText(
    {
      database: status.address,
      server: `Postgres ${status.server_version}`,
      size: sizeCell(status.size_bytes),
      schema: `version ${version}, ${applied.length} applied, the last ${timeCell(applied.at(-1)?.applied_at) ?? 'never'}`,
      pending: pending.length === 0 ? 'nothing' : `${pending.join(', ')} (spine db migrate)`,
      ...(problem === null ? {} : { problem: `migration ${problem.migration} is ${problem.type}` }),
    },
    paint,
  );
  const largest = tables.slice(0, SHOWN_TABLES);
  return [
    fields,
    ...(largest.length === 0 ? [] : [tableText(TABLE_COLUMNS, largest, paint)]),
    ...(status.retention.length === 0 ? [] : [tableText(KEPT_COLUMNS, status.retention, paint)]),
  ].join('\n');
}
