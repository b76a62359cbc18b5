/** How the database is doing, as far as the services' role may see. */
import { sql } from 'kysely';
import { InvariantError } from '@spine/core';
import type { Db } from '../sql/kysely.ts';
import { databaseProblems } from './verdicts.ts';
import type { DatabaseFigures, HealthProblem } from './verdicts.ts';

export interface DatabaseHealth extends DatabaseFigures {
  /** `ok` when there is no problem. */
  readonly status: 'ok' | 'degraded';
  readonly problems: readonly HealthProblem[];
  /** E.g. `18.4`. */
  readonly serverVersion: string;
  /** Bytes of the whole database. */
  readonly sizeBytes: number;
  /** Since the statistics began. */
  readonly deadlocks: number;
  /** The database's clock. */
  readonly now: Date;
}

interface HealthRow {
  server_version: string;
  size_bytes: number;
  connections: number;
  max_connections: number;
  waiting: number;
  hits: number;
  reads: number;
  deadlocks: number;
  transaction_age: number;
  now: Date;
}

/** @throws the driver's error when the database does not answer. */
export async function databaseHealth(db: Db): Promise<DatabaseHealth> {
  const { rows } = await sql<HealthRow>`
    SELECT current_setting('server_version') AS server_version, pg_database_size(s.datid) AS size_bytes,
      (SELECT sum(numbackends)::int FROM pg_stat_database) AS connections,
      current_setting('max_connections')::int AS max_connections,
      (SELECT count(*)::int FROM pg_locks WHERE NOT granted) AS waiting,
      s.blks_hit AS hits, s.blks_read AS reads, s.deadlocks, age(d.datfrozenxid)::bigint AS transaction_age, now() AS now
    FROM pg_stat_database s JOIN pg_database d ON d.oid = s.datid WHERE s.datname = current_database()`.execute(
    db,
  );
  const [row] = rows;
  if (row === undefined) throw new InvariantError('pg_stat_database does not know this database');
  const blocks = row.hits + row.reads;
  const figures: DatabaseFigures = {
    connections: row.connections,
    maxConnections: row.max_connections,
    waitingForLocks: row.waiting,
    cacheHitRatio: blocks === 0 ? null : row.hits / blocks,
    transactionAge: row.transaction_age,
  };
  const problems = databaseProblems(figures);
  return {
    status: problems.length === 0 ? 'ok' : 'degraded',
    problems,
    serverVersion: row.server_version.split(' ')[0] ?? row.server_version,
    sizeBytes: row.size_bytes,
    deadlocks: row.deadlocks,
    now: row.now,
    ...figures,
  };
}
