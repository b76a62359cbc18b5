/** What the figures of a database mean: pure, so that the limits are in one place and tested. */

export interface TableRows {
  readonly liveRows: number;
  /** Rows deleted or replaced that still take space. */
  readonly deadRows: number;
}

/** Autovacuum's own default: it comes when dead rows exceed 50 and a fifth of the live ones. */
const DEAD_SHARE = 0.2;
/** Below this nothing is worth saying. */
const DEAD_ROWS = 1_000;

export type TableHint = 'none' | 'vacuum';

/** Share of the rows that are dead, 0 to 1; 0 for an empty table. */
export function deadRatio({ liveRows, deadRows }: TableRows): number {
  const rows = liveRows + deadRows;
  return rows === 0 ? 0 : deadRows / rows;
}

/** Whether a vacuum would free much; autovacuum is late, is off, or is held up by an old transaction. */
export function tableHint(rows: TableRows): TableHint {
  return rows.deadRows > DEAD_ROWS && rows.deadRows > DEAD_SHARE * rows.liveRows ? 'vacuum' : 'none';
}

export interface DatabaseFigures {
  readonly connections: number;
  readonly maxConnections: number;
  /** Requests for a lock that were not granted yet. */
  readonly waitingForLocks: number;
  /** Blocks found in memory, 0 to 1; null before anything was read. */
  readonly cacheHitRatio: number | null;
  /** Transactions since the oldest that is not frozen. Postgres stops taking writes at about two thousand million. */
  readonly transactionAge: number;
}

export type HealthProblemCode =
  'connections_nearly_used_up' | 'many_wait_for_locks' | 'reads_from_disk' | 'freezing_is_late';

export interface HealthProblem {
  readonly code: HealthProblemCode;
  readonly message: string;
}

const LIMITS = {
  connectionShare: 0.85,
  waiting: 20,
  cacheHitRatio: 0.9,
  transactionAge: 1_000_000_000,
} as const;

/** What somebody should look at; nothing for a healthy database. */
export function databaseProblems(figures: DatabaseFigures): readonly HealthProblem[] {
  const { connections, maxConnections, waitingForLocks, cacheHitRatio, transactionAge } = figures;
  const problems: HealthProblem[] = [];
  if (connections > LIMITS.connectionShare * maxConnections) {
    const message = `${connections} of ${maxConnections} connections are open; lower SPINE_DATABASE_POOL or raise max_connections`;
    problems.push({ code: 'connections_nearly_used_up', message });
  }
  if (waitingForLocks > LIMITS.waiting) {
    problems.push({ code: 'many_wait_for_locks', message: `${waitingForLocks} statements wait for a lock` });
  }
  if (cacheHitRatio !== null && cacheHitRatio < LIMITS.cacheHitRatio) {
    const message = `${Math.round(cacheHitRatio * 100)} % of the blocks were found in memory; raise shared_buffers`;
    problems.push({ code: 'reads_from_disk', message });
  }
  if (transactionAge > LIMITS.transactionAge) {
    const message = `the oldest transaction that is not frozen is ${transactionAge} transactions old; vacuum the largest tables`;
    problems.push({ code: 'freezing_is_late', message });
  }
  return problems;
}
