/** The database itself, before there is a schema. */
import { ConfigError } from '@spine/core';
import { createPool } from '../sql/pool.ts';

/** Where a server is asked for what is not in any database of ours. */
const MAINTENANCE_DATABASE = 'postgres';
const TIMEOUT_MS = 10_000;

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/**
 * Whether the database that the connection string names is there.
 * @throws the driver's error when the server does not answer or does not let us in.
 */
export async function databaseExists(connectionString: string): Promise<boolean> {
  const pool = createPool({ connectionString, role: null, max: 1, answerTimeoutMs: TIMEOUT_MS });
  try {
    await pool.query('SELECT 1');
    return true;
  } catch (error) {
    if (codeOf(error) === '3D000') return false;
    throw error;
  } finally {
    await pool.end();
  }
}

/**
 * Creates the database that the connection string names, as its login role. The identifier in the statement is quoted by
 * Postgres.
 *
 * @returns false when there was one already, also one that another process has made meanwhile.
 * @throws ConfigError when the role may not create databases; the driver's error when the server does not answer.
 */
export async function createDatabaseOf(connectionString: string): Promise<boolean> {
  const url = new URL(connectionString);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = `/${MAINTENANCE_DATABASE}`;
  const pool = createPool({ connectionString: url.toString(), role: null, max: 1 });
  try {
    const { rows } = await pool.query<{ identifier: string }>('SELECT format($1, $2::text) AS identifier', [
      '%I',
      name,
    ]);
    await pool.query(`CREATE DATABASE ${rows[0]?.identifier ?? ''}`);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === '42P04' || code === '23505') return false;
    if (code !== '42501') throw error;
    throw new ConfigError(
      `database ${JSON.stringify(name)} does not exist, and ${JSON.stringify(url.username)} may not create it; ` +
        `as an administrator: CREATE DATABASE "${name}" OWNER "${url.username}"`,
      { cause: error },
    );
  } finally {
    await pool.end();
  }
}
