import { ConfigError, SpineError } from '@spine/core';
import { runMigrations, type MigrationReport } from '@spine/database';
import { reasonOf } from '../local/reason.ts';

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
    throw unusableDatabase(databaseUrl, error);
  }
}

/** Says what to look after; an error that says so already is left as it is. */
export function unusableDatabase(databaseUrl: string, error: unknown): SpineError {
  if (error instanceof SpineError) return error;
  return new ConfigError(
    `The database ${databaseAddress(databaseUrl)} cannot be used: ${reasonOf(error)}. ` +
      'Check SPINE_DATABASE_URL if it is set: server, port, user, password, database.',
    { cause: error },
  );
}
