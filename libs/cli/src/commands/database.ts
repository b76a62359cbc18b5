/**
 * `spine database`: the database of a deployment through its API, for who has a key and no way to the database itself.
 * `spine db` goes there directly.
 */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { DatabaseBackupFile, DatabaseIndex, DatabaseTable, LedgerRetention } from '@spine/sdk';
import { countCell, timeCell } from '../frame/cells.ts';
import { addCommand, addGroup, option, YES } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import { addList } from '../frame/list.ts';
import { jsonText } from '../frame/printable.ts';
import type { Column } from '../frame/table.ts';
import { reviewed } from './runs/many.ts';

const MEBI = 1_048_576;
/** A large database takes its time. */
const LONG_MS = 3_600_000;
/** How long an answer may take beside the work. */
const BESIDE_MS = 30_000;

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / MEBI)} MiB`;
}

function registerLooks(database: Command, context: CliContext): void {
  addCommand(database, context, {
    usage: 'health',
    summary: 'say how the database is; exit code 1 when it is degraded',
    run: async (_call, { client, out }) => {
      const health = await (await client()).database.health();
      await out.fields(health, {
        ...health,
        problems: health.problems.map(({ message }) => message),
        size_bytes: megabytes(health.size_bytes),
      });
      return health.status === 'ok' ? EXIT.ok : EXIT.failed;
    },
  });
  addList<DatabaseTable>(database, context, {
    usage: 'tables',
    summary: 'list tables, the largest first',
    columns: [
      { head: 'TABLE', cell: ({ table }) => table },
      { head: 'ROWS', cell: ({ live_rows }) => live_rows, align: 'right' },
      { head: 'DEAD', cell: ({ dead_rows }) => dead_rows, align: 'right' },
      { head: 'SIZE', cell: ({ total_bytes }) => megabytes(total_bytes), align: 'right' },
      { head: 'INDEXES', cell: ({ index_bytes }) => megabytes(index_bytes), align: 'right' },
      { head: 'VACUUMED', cell: ({ last_vacuum_at }) => timeCell(last_vacuum_at) },
      {
        head: 'HINT',
        cell: ({ hint }) => (hint === 'none' ? '' : hint),
        style: () => 'yellow',
      },
    ],
    none: 'no tables',
    cursor: true,
    ask: (client, _call, position) => client.database.tables(position),
  });
  addList<DatabaseIndex>(database, context, {
    usage: 'indexes',
    summary: 'list indexes, the largest first',
    options: [option('--unused', 'those that nothing needs')],
    columns: [
      { head: 'INDEX', cell: ({ index }) => index },
      { head: 'TABLE', cell: ({ table }) => table },
      { head: 'SIZE', cell: ({ bytes }) => megabytes(bytes), align: 'right' },
      { head: 'SCANS', cell: ({ scans }) => scans, align: 'right' },
      { head: 'ENFORCES', cell: ({ enforces }) => (enforces ? 'yes' : 'no') },
      { head: 'DEFINITION', cell: ({ definition }) => definition, max: 200 },
    ],
    none: 'no indexes',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.database.indexes({ ...present({ unused: options.flag('unused') ? true : undefined }), limit }),
  });
  addList<LedgerRetention>(database, context, {
    usage: 'retention',
    summary: 'list for how long tables of the ledger are kept, and what may go now',
    columns: [
      { head: 'TABLE', cell: ({ table }) => table },
      { head: 'KEPT', cell: ({ keep, minimum_days }) => keptCell(keep, minimum_days) },
      { head: 'DELETED AFTER', cell: ({ older_than_days }) => daysCell(older_than_days) },
      {
        head: 'MAY GO',
        cell: ({ eligible, eligible_is_capped }) =>
          eligible === null ? null : countCell(eligible, eligible_is_capped),
        align: 'right',
      },
      { head: 'BECAUSE', cell: ({ because }) => because, max: 120 },
    ],
    none: 'no tables',
    cursor: false,
    ask: (client, _call, { limit }) => client.database.retention({ limit }),
  });
  addCommand(database, context, {
    usage: 'schema',
    summary: 'write tables, columns, constraints and indexes as JSON',
    run: async (_call, { client, out }) => {
      const schema = await (await client()).database.schema();
      await out.answer(schema, () => `${jsonText(schema, 2)}\n`);
    },
  });
  addCommand(database, context, {
    usage: 'config',
    summary: 'show the settings in effect where the API runs, secrets hidden',
    run: async (_call, { client, out }) => {
      const config = await (await client()).database.config();
      await out.answer(config, () =>
        out.tableText(
          [
            { head: 'SETTING', cell: ({ name }) => name },
            { head: 'VALUE', cell: ({ value }) => value },
            { head: 'FROM', cell: ({ source }) => source },
          ],
          [...config.settings, ...config.server],
          'no settings',
        ),
      );
    },
  });
}

function keptCell(keep: LedgerRetention['keep'], minimumDays: number | null): string {
  return keep === 'forever' ? 'forever' : `at least ${daysCell(minimumDays) ?? '0 days'}`;
}

function daysCell(days: number | null): string | null {
  return days === null ? null : `${days} days`;
}

async function query(sql: string, maxRows: number | undefined, { client, out, notices }: CliContext) {
  const answer = await (await client()).database.query({ sql, ...present({ max_rows: maxRows }) });
  const columns = answer.columns.map(({ name }, at): Column<readonly unknown[]> => ({
    head: name,
    cell: (row) => {
      const value = row[at];
      return value === null || value === undefined
        ? null
        : typeof value === 'string'
          ? value
          : jsonText(value);
    },
  }));
  await out.answer(answer, () => out.tableText(columns, answer.rows, 'no rows'));
  if (answer.truncated !== null && !out.json) {
    notices.say(notices.paint('dim', `cut by the limit of ${answer.truncated}`));
  }
}

function registerUpkeep(database: Command, context: CliContext): void {
  addCommand(database, context, {
    usage: 'query <sql>',
    summary: 'read by SQL, with limits to rows and time; nothing can be changed by it',
    options: [option('--max-rows <count>', 'rows (default: what the API says)')],
    examples: ['database query "SELECT status, count(*) FROM runs GROUP BY status"'],
    run: ({ arg, options }, context) => query(arg(0), options.whole('maxRows', 1), context),
  });
  addCommand(database, context, {
    usage: 'vacuum <table>',
    summary: 'give the space of dead rows back',
    run: async ({ arg }, { client, out }) => {
      const done = await (await client()).database.vacuum({ table: arg(0) }, { timeoutMs: LONG_MS });
      await out.answer(done, `${done.table}: ${done.dead_rows_before} dead rows are gone\n`);
    },
  });
  addCommand(database, context, {
    usage: 'migrate',
    summary: 'apply pending migrations where the API may do so',
    options: [option('--dry-run', 'only say which are pending'), YES],
    run: async ({ options }, { client, confirm, out }) => {
      const dryRun = options.flag('dryRun');
      if (!dryRun && !(await confirm('Apply pending migrations?', options.flag('yes')))) return;
      await out.fields(await (await client()).database.init({ dry_run: dryRun }));
    },
  });
  addCommand(database, context, {
    usage: 'purge <table>',
    summary: 'delete old rows of a table of the ledger, or say what would go',
    options: [
      option('--older-than <days>', 'rows older than so many days (required)').makeOptionMandatory(),
      option('--dry-run', 'only count them'),
      YES,
    ],
    examples: ['database purge quality_results --older-than 400 --dry-run'],
    run: async (call, context) => {
      const body = { table: call.arg(0), older_than_days: call.options.whole('olderThan', 1) ?? 0 };
      const { database } = await context.client();
      const done = await reviewed(call, context, {
        ask: (dry_run) => database.purge({ ...body, dry_run }),
        question: ({ eligible, eligible_is_capped, table }) =>
          eligible === 0 ? null : `Delete ${countCell(eligible, eligible_is_capped)} rows of ${table}?`,
      });
      const more = done.next_after === null ? '' : '; there are more: repeat it';
      await context.out.answer(
        done,
        done.dry_run
          ? `${countCell(done.eligible, done.eligible_is_capped)} rows of ${done.table} would be deleted\n`
          : `${done.deleted} rows of ${done.table} are deleted${more}\n`,
      );
    },
  });
  addCommand(database, context, {
    usage: 'backup',
    summary: 'write the database to a file where the API runs',
    options: [option('--timeout <span>', 'at most so long (default: 1h)')],
    run: async ({ options }, { client, out }) => {
      const timeoutMs = options.span('timeout') ?? LONG_MS;
      const body = { timeout_seconds: Math.ceil(timeoutMs / 1_000) };
      const made = await (await client()).database.backUp(body, { timeoutMs: timeoutMs + BESIDE_MS });
      await out.answer(made, `${made.name}, ${megabytes(made.bytes)}\n`);
    },
  });
  addList<DatabaseBackupFile>(database, context, {
    usage: 'backups',
    summary: 'list backups that are whole, newest first',
    columns: [
      { head: 'NAME', cell: ({ name }) => name },
      { head: 'SIZE', cell: ({ bytes }) => megabytes(bytes), align: 'right' },
      { head: 'COMPLETED', cell: ({ completed_at }) => timeCell(completed_at) },
    ],
    none: 'no backups',
    cursor: false,
    ask: (client, _call, { limit }) => client.database.backups({ limit }),
  });
}

export const register: Register = (program, context) => {
  const database = addGroup(program, 'database', 'the database of a deployment, through its API');
  registerLooks(database, context);
  registerUpkeep(database, context);
};
