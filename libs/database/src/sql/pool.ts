import pg from 'pg';
import { parseInstant } from './instant.ts';

/** The role every service works as: it may append events and may not rewrite them (migration 0001). */
export const APPLICATION_ROLE = 'spine_app';

export interface PoolOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly connectionString: string;
  /** Connections at the most. Default 10. */
  readonly max?: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string;
  /** Role assumed by every connection; `null` keeps the login role (migrations). Default {@link APPLICATION_ROLE}. */
  readonly role?: string | null;
  /**
   * For connections that send only named statements written for any parameters: plan each once. Planning is a third
   * of what a statement for a single run costs. Never for built queries, whose best plan depends on their values.
   */
  readonly genericPlans?: boolean;
  /**
   * Longest wait for the answer to a statement, in milliseconds; its connection is then given up, and the statement may
   * have been carried out. Default none. Without it a connection that the network has forgotten is waited for until
   * the operating system gives it up, which takes a quarter of an hour or more.
   */
  readonly answerTimeoutMs?: number;
  /** Longest wait for a connection, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Called for errors of idle connections, which have no caller to reject. */
  readonly onError?: (error: Error) => void;
}

export type Pool = pg.Pool;

/** What a statement needs: a pool, or one client inside a transaction. */
export interface Queryable {
  query<R extends pg.QueryResultRow>(config: pg.QueryConfig): Promise<pg.QueryResult<R>>;
}

const INT8_OID = 20;
const TIMESTAMPTZ_OID = 1184;

/** Counts and epochs are read as numbers; one that does not fit is a fault, never a rounded value. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} is outside the safe integer range`);
  return value;
}

const types = new pg.TypeOverrides();
types.setTypeParser(INT8_OID, parseInt8);
types.setTypeParser(TIMESTAMPTZ_OID, parseInstant);

/**
 * A connection pool with Spine's settings: UTC, the application role, keep-alive, a bounded wait for a connection.
 * No connection is opened before the first query.
 */
export function createPool(options: PoolOptions): Pool {
  const role = options.role === undefined ? APPLICATION_ROLE : options.role;
  const settings = [
    '-c timezone=UTC',
    ...(role === null ? [] : [`-c role=${role}`]),
    ...(options.genericPlans === true ? ['-c plan_cache_mode=force_generic_plan'] : []),
  ].join(' ');
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.max ?? 10,
    application_name: options.applicationName ?? 'spine',
    options: settings,
    keepAlive: true,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    idleTimeoutMillis: 30_000,
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    types,
  });
  pool.on('error', (error) => options.onError?.(error));
  // One that breaks between two statements of a transaction has no statement to fail: without a listener the process
  // would end. The next statement tells.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
