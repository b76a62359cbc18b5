/**
 * A question of an operator's own: one statement that reads.
 *
 * 1. It is executed as the role `spine_reader`, who may read and do nothing else, and not everything: `spine_ask` (migration
 *    0027) does it, in which Postgres refuses every way to become another role.
 * 2. One statement, and one that answers with rows: the parse message takes no second one, the function's cursor nothing else.
 * 3. In a transaction that is READ ONLY and is always rolled back, on a connection that nobody gets afterwards: neither a
 *    setting nor a lock outlives the question.
 * 4. Time, rows and bytes are bounded, and a caller who goes away ends it: the statement is cancelled on the server.
 */
import type { PoolClient } from 'pg';
import { createPool } from '../sql/pool.ts';
import type { Queryable } from '../sql/pool.ts';
import { cellValue } from './cell-value.ts';
import { describeStatement } from './describe.ts';

export interface Question {
  readonly sql: string;
  readonly maxRows: number;
  /** Of the answer's values as JSON text. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** The caller has gone. */
  readonly signal?: AbortSignal;
}

export interface AnswerColumn {
  readonly name: string;
  /** As Postgres writes it, e.g. `timestamp with time zone`. */
  readonly type: string;
}

export type AskOutcome =
  | {
      readonly type: 'answered';
      readonly columns: readonly AnswerColumn[];
      /** Values in the order of the columns; see {@link cellValue}. */
      readonly rows: readonly (readonly unknown[])[];
      /** Whether these are all, or a limit was reached. */
      readonly ended: 'all' | 'rows' | 'bytes';
      readonly durationMs: number;
    }
  /** The statement, or what it asks for, is at fault. */
  | {
      readonly type: 'refused';
      readonly sqlState: string;
      readonly message: string;
      /** Character of the statement, from 1; null where the database does not tell. */
      readonly position: number | null;
    }
  | { readonly type: 'timed_out'; readonly timeoutMs: number }
  | { readonly type: 'cancelled' };

const LOCK_TIMEOUT_MS = 1_000;
const CANCELLED = '57014';
/** Classes of errors that say nothing of the statement: the connection, resources, the operator, the system, a fault. */
const FAULTS = /^(08|53|57|58|F0|XX)/;

interface AnswerRow {
  cells: string[] | null;
  ended: 'all' | 'rows' | 'bytes' | null;
}

/**
 * @param connectionString of the login role
 * @throws the driver's error when the database does not answer.
 */
export async function askDatabase(connectionString: string, question: Question): Promise<AskOutcome> {
  const { signal } = question;
  if (signal?.aborted === true) return { type: 'cancelled' };
  const pool = createPool({ connectionString, max: 1, applicationName: 'spine-query' });
  try {
    const client = await pool.connect();
    let stop: (() => void) | undefined;
    try {
      const backend = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const pid = backend.rows[0]?.pid ?? 0;
      stop = () => void cancel(connectionString, pid);
      signal?.addEventListener('abort', stop, { once: true });
      return await ask(client, question);
    } catch (error) {
      return judged(error, question);
    } finally {
      if (stop !== undefined) signal?.removeEventListener('abort', stop);
      // Ended, not given back: invariant 3.
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}

async function ask(client: PoolClient, question: Question): Promise<AskOutcome> {
  const { sql, maxRows, maxBytes, timeoutMs } = question;
  const from = performance.now();
  await client.query('BEGIN READ ONLY');
  await client.query({
    text: `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true),
  set_config('max_parallel_workers_per_gather', '0', true)`,
    values: [`${timeoutMs}ms`, `${LOCK_TIMEOUT_MS}ms`],
  });
  const fields = await describeStatement(client, sql);
  if (fields === null) {
    const message = 'the statement answers with no rows; allowed: SELECT, VALUES, TABLE, SHOW, EXPLAIN';
    return { type: 'refused', sqlState: '42601', message, position: null };
  }
  const columns = await namedTypes(
    client,
    fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
      name,
      oid: dataTypeID,
      mod: dataTypeModifier,
    })),
  );
  const { rows } = await client.query<AnswerRow>({
    text: 'SELECT cells, ended FROM spine_ask($1, $2, $3)',
    values: [sql, maxRows, maxBytes],
  });
  return {
    type: 'answered',
    columns,
    rows: rows.flatMap(({ cells }) =>
      cells === null ? [] : [cells.map((json, index) => cellValue(fields[index]?.dataTypeID ?? 0, json))],
    ),
    ended: rows.at(-1)?.ended ?? 'all',
    durationMs: Math.round(performance.now() - from),
  };
}

async function namedTypes(
  db: Queryable,
  fields: readonly { readonly name: string; readonly oid: number; readonly mod: number }[],
): Promise<AnswerColumn[]> {
  const { rows } = await db.query<{ type: string }>({
    text: `SELECT format_type(f.oid, f.mod) AS type
FROM unnest($1::oid[], $2::integer[]) WITH ORDINALITY f(oid, mod, n) ORDER BY f.n`,
    values: [`{${fields.map(({ oid }) => oid).join(',')}}`, `{${fields.map(({ mod }) => mod).join(',')}}`],
  });
  return fields.map(({ name }, index) => ({ name, type: rows[index]?.type ?? 'unknown' }));
}

/** As the login role, whose sessions it may cancel. */
async function cancel(connectionString: string, pid: number): Promise<void> {
  const pool = createPool({ connectionString, role: null, max: 1, applicationName: 'spine-query' });
  try {
    await pool.query('SELECT pg_cancel_backend($1)', [pid]);
  } catch {
    // Its time-out ends it.
  } finally {
    await pool.end();
  }
}

function judged(error: unknown, { signal, timeoutMs }: Question): AskOutcome {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === CANCELLED)
    return signal?.aborted === true ? { type: 'cancelled' } : { type: 'timed_out', timeoutMs };
  if (!(error instanceof Error) || !/^[0-9A-Z]{5}$/.test(code) || FAULTS.test(code)) throw error;
  return { type: 'refused', sqlState: code, message: error.message, position: positionIn(error) };
}

/** Of an error of the statement itself, or of what the function executes. */
function positionIn(error: Error): number | null {
  const text = 'position' in error && error.position !== undefined ? error.position : null;
  const inner =
    'internalPosition' in error && error.internalPosition !== undefined ? error.internalPosition : null;
  const position = Number(text ?? inner ?? Number.NaN);
  return Number.isInteger(position) ? position : null;
}
