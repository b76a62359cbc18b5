/**
 * COPY ... FROM STDIN, the fastest way into a table, inside a Kysely transaction.
 *
 * 1. It runs on the transaction's own connection, so it commits and rolls back with everything else.
 * 2. When the rows end with an error, the COPY fails on the server too: nothing of it stays.
 * 3. Table and columns are identifiers of the code's; values are escaped and never read as anything but text.
 */
import { CompiledQuery, sql } from 'kysely';
import type { DbTransaction } from './kysely.ts';

/** Rows as {@link copyLine} writes them; a chunk may end anywhere. */
export type CopyChunks = Iterable<Buffer> | AsyncIterable<Buffer>;

export type CopyValue = string | number | null;

const SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** One row in COPY's text format, its line feed included. Text must be storable: no NUL, no lone surrogate. */
export function copyLine(values: readonly CopyValue[]): string {
  let line = '';
  for (let index = 0; index < values.length; index += 1) {
    if (index > 0) line += '\t';
    line += field(values[index] ?? null);
  }
  return `${line}\n`;
}

function field(value: CopyValue): string {
  if (value === null) return '\\N';
  if (typeof value === 'number' || !SPECIAL.test(value)) return String(value);
  return value.replaceAll(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

/**
 * Appends rows to a table and answers how many. The rows' columns are `columns`, in that order; the others get their
 * defaults. A row that breaks a constraint fails the statement, and with it the transaction.
 *
 * @param table constant of the code's, with its schema where that is not the search path's: `pg_temp.stage`.
 */
export async function copyInto(
  trx: DbTransaction,
  table: string,
  columns: readonly string[],
  chunks: CopyChunks,
): Promise<number> {
  const names = sql.join(columns.map((column) => sql.ref(column)));
  const { sql: text } = sql`COPY ${sql.table(table)} (${names}) FROM STDIN`.compile(trx);
  const { numAffectedRows } = await trx.executeQuery(CompiledQuery.raw(text, [new CopyInput(chunks)]));
  return Number(numAffectedRows ?? 0n);
}

/** The only parameter of a COPY statement, which is what a connection knows one by: its rows travel beside it. */
export class CopyInput {
  readonly chunks: CopyChunks;

  constructor(chunks: CopyChunks) {
    this.chunks = chunks;
  }
}
