/**
 * Vacuuming one table on request.
 *
 * 1. What is asked for is compared with the tables there are; the identifier in the statement is the catalogue's own,
 *    quoted by Postgres. The caller's text is never part of a statement.
 * 2. It runs as the login role on a connection of its own, because the services' role owns no table. Nobody else ever
 *    gets that connection.
 * 3. Postgres only warns of a table that a role may not vacuum, and skips it; so the right is looked at first.
 */
import { createPool } from '../sql/pool.ts';
import type { Pool } from '../sql/pool.ts';
import { isGateBusy } from '../sql/errors.ts';

export type VacuumOutcome =
  | {
      readonly type: 'vacuumed';
      readonly table: string;
      readonly durationMs: number;
      /** Dead rows by the statistics beforehand. */
      readonly deadRowsBefore: number;
      /** Bytes of the table with its indexes; a plain vacuum frees space for new rows and seldom gives any back. */
      readonly bytesBefore: number;
      readonly bytesAfter: number;
    }
  | { readonly type: 'unknown_table' }
  /** The login role neither owns the table nor was given the right. */
  | { readonly type: 'not_permitted'; readonly table: string; readonly role: string }
  /** Another vacuum, or a change of the table, holds it. */
  | { readonly type: 'busy'; readonly table: string };

interface Target {
  identifier: string;
  role: string;
  permitted: boolean;
  dead_rows: number;
  bytes: number;
}

/** Owner of the table or the database; or, from Postgres 17 on, a role that was granted MAINTAIN. */
const TARGET_SQL = `SELECT format('%I.%I', n.nspname, c.relname) AS identifier, session_user AS role,
  pg_has_role(session_user, c.relowner, 'USAGE') OR pg_has_role(session_user, d.datdba, 'USAGE')
    OR CASE WHEN current_setting('server_version_num')::int >= 170000
         THEN has_table_privilege(session_user, c.oid, 'MAINTAIN') ELSE false END AS permitted,
  COALESCE(s.n_dead_tup, 0) AS dead_rows, pg_total_relation_size(c.oid) AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_database d ON d.datname = current_database()
  LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname = $1`;

/**
 * `VACUUM (ANALYZE)` of a table of the `public` schema. Takes as long as the table is large; reads and writes go on.
 *
 * @param connectionString of the login role.
 * @throws the driver's error when the database does not answer.
 */
export async function vacuumTable(connectionString: string, table: string): Promise<VacuumOutcome> {
  const pool = createPool({ connectionString, role: null, max: 1, applicationName: 'spine-vacuum' });
  try {
    const before = await targetOf(pool, table);
    if (before === undefined) return { type: 'unknown_table' };
    if (!before.permitted) return { type: 'not_permitted', table, role: before.role };
    const from = performance.now();
    try {
      await pool.query(`SET lock_timeout = '1s'`);
      await pool.query(`VACUUM (ANALYZE) ${before.identifier}`);
    } catch (error) {
      if (isGateBusy(error)) return { type: 'busy', table };
      throw error;
    }
    const durationMs = Math.round(performance.now() - from);
    const after = await targetOf(pool, table);
    return {
      type: 'vacuumed',
      table,
      durationMs,
      deadRowsBefore: before.dead_rows,
      bytesBefore: before.bytes,
      bytesAfter: after?.bytes ?? before.bytes,
    };
  } finally {
    await pool.end();
  }
}

async function targetOf(pool: Pool, table: string): Promise<Target | undefined> {
  const { rows } = await pool.query<Target>(TARGET_SQL, [table]);
  return rows[0];
}
