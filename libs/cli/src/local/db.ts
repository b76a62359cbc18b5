/** `spine db`: the database of this deployment, without the API. */
import { addCommand, addGroup, choice, option, YES } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { UsageError } from '../frame/usage-error.ts';
import { PURGE_TABLES } from './purge-tables.ts';
import type { LocalDatabase } from './target.ts';

/** Days of a calendar; what the settings allow as well. */
const MAX_DAYS = 36_500;

const DRY_RUN = option('--dry-run', 'say what would be done, and do nothing');

// Each command's work is loaded when it is needed: no other command should wait for database drivers.
const placesOf = ({ io }: CliContext) => ({ cwd: io.cwd, ...(io.env === undefined ? {} : { env: io.env }) });

async function local(context: CliContext): Promise<LocalDatabase> {
  return (await import('./target.ts')).openLocal(placesOf(context));
}

async function reachable(context: CliContext): Promise<LocalDatabase> {
  return (await import('./target.ts')).openReachable(placesOf(context));
}

export const register: Register = (program, context) => {
  const db = addGroup(
    program,
    'db',
    'the database of SPINE_DATABASE_URL, else the one that `spine start` runs here',
  );
  addCommand(db, context, {
    usage: 'status',
    summary: 'migrations applied and pending, sizes, what is kept for how long',
    run: async () => {
      const { showStatus } = await import('./status.ts');
      await showStatus(await reachable(context), context);
    },
  });
  addCommand(db, context, {
    usage: 'init',
    summary: 'make what is missing: the database, its schema, the tables of the queue',
    options: [DRY_RUN],
    examples: ['db init --dry-run', 'db init'],
    run: async ({ options }) => {
      const { initDatabase } = await import('./init.ts');
      const how = { dryRun: options.flag('dryRun'), createDatabase: true };
      await initDatabase(await local(context), how, context);
    },
  });
  addCommand(db, context, {
    usage: 'migrate',
    summary: 'bring the schema and the tables of the queue up to date',
    options: [DRY_RUN],
    run: async ({ options }) => {
      const { initDatabase } = await import('./init.ts');
      const how = { dryRun: options.flag('dryRun'), createDatabase: false };
      await initDatabase(await local(context), how, context);
    },
  });
  addCommand(db, context, {
    usage: 'purge',
    summary: 'delete old rows of a table, or say what would go',
    details:
      'What may go is decided by the database: nothing that has not ended, nothing that evidence rests on.',
    options: [
      choice('--table <table>', 'of which rows (default: runs, with what belongs to them)', PURGE_TABLES),
      option('--older-than <days>', 'days since they ended'),
      DRY_RUN,
      YES,
    ],
    examples: ['db purge --older-than 90 --dry-run', 'db purge --table dead_letters --older-than 30 --yes'],
    run: async ({ options }) => {
      const { purgeDatabase } = await import('./purge.ts');
      const olderThanDays = options.whole('olderThan', 1, MAX_DAYS);
      if (olderThanDays === undefined) throw new UsageError('--older-than is required');
      const how = {
        table: options.choice('table', PURGE_TABLES) ?? 'runs',
        olderThanDays,
        dryRun: options.flag('dryRun'),
        yes: options.flag('yes'),
      };
      return purgeDatabase(await reachable(context), how, context);
    },
  });
  addCommand(db, context, {
    usage: 'backup <file>',
    summary: 'write the whole database to a file, by pg_dump',
    details: 'The file must not exist. Its format is the custom one of pg_dump, which pg_restore reads.',
    options: [option('--pg-dump <program>', 'which pg_dump (default: the one of the PATH)')],
    examples: ['db backup spine.dump', 'db backup spine.dump --pg-dump /usr/lib/postgresql/17/bin/pg_dump'],
    run: async ({ arg, options }) => {
      const { writeBackup } = await import('./backup.ts');
      return writeBackup(
        await reachable(context),
        { file: arg(0), program: options.text('pgDump') },
        context,
      );
    },
  });
};
