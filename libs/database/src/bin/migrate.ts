/**
 * One-shot entry, `node libs/database/dist/bin/migrate.js`: applies what is pending and exits. 0: the database is at the
 * newest migration. 1: it is not, with the reason on standard error.
 */
import pg from 'pg';
import { loadProcessSettings } from '@spine/config';
import { toErrorInfo } from '@spine/core';
import { createLogger } from '@spine/observability';
import { runMigrations } from '../migrate/migrator.ts';

/** The server's hint is what an administrator has to do, for example when the login may not create roles. */
function explain(error: unknown): string {
  const additions = error instanceof pg.DatabaseError ? [error.detail, error.hint] : [];
  return [toErrorInfo(error).message, ...additions.filter((text) => text !== undefined)].join('\n  ');
}

try {
  const settings = await loadProcessSettings({ role: 'migrate' });
  const logger = createLogger({ service: 'migrate', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const { applied, version } = await runMigrations({
    connectionString: settings.database.url.reveal(),
    onApply: (migration) => logger.info({ migration }, 'applying'),
  });
  logger.info({ schema_version: version, applied: applied.length }, 'the database is up to date');
} catch (error) {
  process.stderr.write(`migrate: ${explain(error)}\n`);
  process.exitCode = 1;
}
