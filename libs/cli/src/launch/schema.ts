import { ConfigError, SpineError } from '@spine/core';
import { runMigrations, type MigrationReport } from '@spine/database';

/** The server and database of a connection string, without its credentials. */
export function databaseAddress(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host || 'local socket'}${pathname}`;
}

/**
 * Brings the schema up to date.
 *
 * @throws ConfigError when a migration was edited or is unknown, or when the database cannot be used.
 */
export async function prepareSchema(
  databaseUrl: string,
  onApply: (name: string) => void,
): Promise<MigrationReport> {
  try {
    return await runMigrations({ connectionString: databaseUrl, onApply });
  } catch (error) {
    if (error instanceof SpineError) throw error;
    throw new ConfigError(
      `The database ${databaseAddress(databaseUrl)} cannot be used: ${describe(error)}. ` +
        'Check SPINE_DATABASE_URL if it is set: server, port, user, password, database.',
      { cause: error },
    );
  }
}

/** Of several addresses of one host that all refuse, Node reports an error with an empty message. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}
