/** How the Postgres server is set, as far as it decides what Spine promises or how fast it is. */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';

export interface ServerSetting {
  readonly name: string;
  /** With its unit, as `SHOW` has it. */
  readonly value: string;
  /** Where it was set, e.g. `default`, `configuration file`, `database`. */
  readonly source: string;
}

const SETTINGS = [
  'autovacuum',
  'effective_cache_size',
  'fsync',
  'full_page_writes',
  'idle_in_transaction_session_timeout',
  'maintenance_work_mem',
  'max_connections',
  'max_wal_size',
  'random_page_cost',
  'shared_buffers',
  'statement_timeout',
  'synchronous_commit',
  'TimeZone',
  'wal_level',
  'work_mem',
] as const;

/** As they hold for this connection, by name. */
export async function serverSettings(db: Db): Promise<ServerSetting[]> {
  const { rows } = await sql<ServerSetting>`
    SELECT name, current_setting(name) AS value, source FROM pg_settings
    WHERE name IN (${sql.join(SETTINGS)}) ORDER BY lower(name)`.execute(db);
  return rows;
}
