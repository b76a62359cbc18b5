/**
 * One-shot entry, `node libs/database/dist/bin/migrate.js`: applies what is pending and exits. 0: the database is at the
 * newest migration. 1: it is not, with the reason on standard error.
 */
import { loadProcessSettings } from '@spine/config';
import { toErrorInfo } from '@spine/core';
import { createLogger } from '@spine/observability';
import { runMigrations } from '../migrate/migrator.ts';

try {
  const settings = loadProcessSettings({ role: 'migrate' });
  const logger = createLogger({ service: 'migrate', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const { applied, version } = await runMigrations({
    connectionString: settings.database.url.reveal(),
    onApply: (migration) => logger.info({ migration }, 'applying'),
  });
  logger.info({ schema_version: version, applied: applied.length }, 'the database is up to date');
} catch (error) {
  process.stderr.write(`migrate: ${toErrorInfo(error).message}\n`);
  process.exitCode = 1;
}
