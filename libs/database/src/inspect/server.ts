/** What a Postgres server is and how it is set, as far as Spine depends on it. For diagnoses: never on a hot path. */
import { InvariantError } from '@spine/core';
import { APPLICATION_ROLE } from '../sql/pool.ts';
import type { Queryable } from '../sql/pool.ts';

export interface ServerFacts {
  /** As `server_version_num`: 180004 for 18.4. */
  readonly versionNumber: number;
  /** E.g. `18.4`. */
  readonly version: string;
  /** `on` or `off`. */
  readonly fsync: string;
  readonly fullPageWrites: string;
  /** As it holds for the role that asks: `on`, `local`, `remote_write`, `remote_apply` or `off`. */
  readonly synchronousCommit: string;
  readonly autovacuum: string;
  /** A standby takes no writes. */
  readonly inRecovery: boolean;
  /** The database's clock. */
  readonly now: Date;
  /** Who has logged in. */
  readonly loginRole: string;
  readonly loginIsSuperuser: boolean;
  /** Whether the services' role exists, and whether the login role may become it. */
  readonly applicationRole: 'usable' | 'not_granted' | 'missing';
}

interface ServerRow {
  version_number: number;
  version: string;
  fsync: string;
  full_page_writes: string;
  synchronous_commit: string;
  autovacuum: string;
  in_recovery: boolean;
  now: Date;
  login_role: string;
  is_superuser: boolean;
  has_role: boolean | null;
}

const SERVER_SQL = `SELECT current_setting('server_version_num')::int AS version_number,
  split_part(current_setting('server_version'), ' ', 1) AS version, current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('autovacuum') AS autovacuum, pg_is_in_recovery() AS in_recovery, clock_timestamp() AS now,
  session_user::text AS login_role, COALESCE((SELECT rolsuper FROM pg_roles WHERE rolname = session_user), false) AS is_superuser,
  (SELECT pg_has_role(session_user, a.oid, 'MEMBER') FROM pg_roles a WHERE a.rolname = $1) AS has_role`;

/** @throws the driver's error when the database does not answer. */
export async function inspectServer(db: Queryable): Promise<ServerFacts> {
  const { rows } = await db.query<ServerRow>({ text: SERVER_SQL, values: [APPLICATION_ROLE] });
  const [row] = rows;
  if (row === undefined) throw new InvariantError('the server did not describe itself');
  return {
    versionNumber: row.version_number,
    version: row.version,
    fsync: row.fsync,
    fullPageWrites: row.full_page_writes,
    synchronousCommit: row.synchronous_commit,
    autovacuum: row.autovacuum,
    inRecovery: row.in_recovery,
    now: row.now,
    loginRole: row.login_role,
    loginIsSuperuser: row.is_superuser,
    applicationRole: row.has_role === null ? 'missing' : row.has_role ? 'usable' : 'not_granted',
  };
}

/** A transaction that has been open for long. What it does is not told: a statement's text may hold data. */
export interface OpenTransaction {
  readonly pid: number;
  /** Of whoever opened it, as it named itself; empty for none. */
  readonly application: string;
  readonly role: string;
  /** E.g. `idle in transaction`; null where the asking role may not see it. */
  readonly state: string | null;
  readonly seconds: number;
}

/**
 * Transactions of this database that have been open for longer than `seconds`, the longest first, at most 20. A role that
 * may not see other roles' sessions (pg_monitor, pg_read_all_stats) is told of its own alone.
 */
export async function longTransactions(db: Queryable, seconds: number): Promise<OpenTransaction[]> {
  const { rows } = await db.query<OpenTransaction>({
    text: `SELECT pid, COALESCE(application_name, '') AS application, COALESCE(usename::text, '') AS role, state,
  floor(extract(epoch FROM clock_timestamp() - xact_start))::int AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND xact_start < clock_timestamp() - $1::int * interval '1 second'
ORDER BY xact_start LIMIT 20`,
    values: [seconds],
  });
  return rows;
}

export interface InvalidIndex {
  readonly index: string;
  readonly table: string;
}

/** Indexes that a failed CREATE INDEX CONCURRENTLY has left: written to with every row, and never read. */
export async function invalidIndexes(db: Queryable): Promise<InvalidIndex[]> {
  const { rows } = await db.query<InvalidIndex>({
    text: `SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
  });
  return rows;
}
