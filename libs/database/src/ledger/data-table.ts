import { canonicalJson, isStorableText, LogicalKeyColumns, ValidationError } from '@spine/core';
import type { JsonArray, JsonObject, LogicalKey } from '@spine/core';

/** What a column is written with. Amounts are text, so that none passes through a float. */
export type ColumnValue = string | number | boolean | null | JsonObject | JsonArray;

export type DataRow<C extends string> = Readonly<Record<C, ColumnValue>>;

/**
 * A table of a domain as its code declares it. Its names become SQL identifiers: they are constants of the code, never
 * anything that came from outside.
 */
export interface DataTable<C extends string, K extends C> {
  readonly name: string;
  /** The columns that rows are written with; the others have defaults. */
  readonly columns: readonly C[];
  /** What `replaceForKey` replaces by. */
  readonly key: LogicalKeyColumns<K>;
  /** The column with a row's hash, which a unique index must guard; null where rows have none. */
  readonly hashColumn: C | null;
}

/**
 * Throws ValidationError for a name that is no plain SQL identifier, and for a key or hash column that is not among the
 * columns.
 */
export function dataTable<const C extends string, const K extends C>(given: {
  readonly name: string;
  readonly columns: readonly C[];
  readonly key: readonly K[];
  readonly hashColumn?: C;
}): DataTable<C, K> {
  LogicalKeyColumns.of(given.name);
  const { columns } = LogicalKeyColumns.of(...given.columns);
  const key = LogicalKeyColumns.of(...given.key);
  const hashColumn = given.hashColumn ?? null;
  const used: readonly string[] = hashColumn === null ? key.columns : [...key.columns, hashColumn];
  const strange = used.find((name) => !columns.some((column) => column === name));
  if (strange !== undefined) {
    throw new ValidationError(`${strange}: not a column of ${given.name}; allowed are ${columns.join(', ')}`);
  }
  return Object.freeze({ name: given.name, columns, key, hashColumn });
}

/**
 * `rows` as the JSON that Postgres reads them from. Throws ValidationError naming row and field for a column that is
 * missing or unknown, for what is no JSON (NaN above all, which would be written as null), and, with a key, for a row
 * that does not carry exactly its values.
 */
export function rowsJson<C extends string, K extends C>(
  table: DataTable<C, K>,
  rows: readonly DataRow<C>[],
  at: number,
  key: LogicalKey<K> | null,
): string {
  const texts = rows.map((row, index) => {
    const place = `rows[${at + index}]`;
    const strange = Object.keys(row).find((name) => !table.columns.some((column) => column === name));
    const missing = table.columns.find((column) => !Object.hasOwn(row, column) || row[column] === undefined);
    const wrong = strange ?? missing;
    if (wrong !== undefined) {
      throw refused(
        `${place}.${wrong}`,
        strange === undefined ? 'it is missing' : `it is no column of ${table.name}`,
        `exactly ${table.columns.join(', ')}`,
      );
    }
    const unstorable = table.columns.find((column) => !isStorable(row[column]));
    if (unstorable !== undefined) {
      throw refused(`${place}.${unstorable}`, 'it cannot be stored', 'text without NUL characters');
    }
    for (const [column, value] of key?.entries() ?? []) {
      if (row[column] === value) continue;
      throw refused(`${place}.${column}`, 'it is not the value of the key', JSON.stringify(value));
    }
    return canonicalJson(row);
  });
  return `[${texts.join(',')}]`;
}

function isStorable(value: ColumnValue): boolean {
  return typeof value !== 'string' || isStorableText(value);
}

function refused(field: string, what: string, allowed: string): ValidationError {
  return new ValidationError(`${field}: ${what}; allowed is ${allowed}`, {
    issues: [{ field, code: 'invalid_row', message: `must be ${allowed}` }],
  });
}
