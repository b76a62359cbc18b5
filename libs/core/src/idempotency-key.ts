import { ValidationError } from './errors/permanent.ts';
import { canonicalJson } from './json/canonical-json.ts';
import { isStorableText, truncateText } from './text.ts';

/** A value of a key column. Numbers are safe integers: a rounded fraction would name another row. */
export type KeyValue = string | number | boolean;

/** What Postgres takes without quotes: a key is declared in code, so anything else is a slip of the pen. */
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * The columns of a natural key, in order, as code declares them: never names that came from outside. Makes the keys.
 */
export class LogicalKeyColumns<C extends string = string> {
  readonly columns: readonly C[];

  private constructor(columns: readonly C[]) {
    this.columns = Object.freeze([...columns]);
    Object.freeze(this);
  }

  /** Throws ValidationError for no columns, one twice, and a name that is no plain SQL identifier. */
  static of<C extends string>(...columns: readonly C[]): LogicalKeyColumns<C> {
    const wrong = columns.find(
      (column, index) => !IDENTIFIER.test(column) || columns.indexOf(column) < index,
    );
    if (wrong !== undefined || columns.length === 0) {
      throw new ValidationError(
        `columns: ${wrong === undefined ? 'there are none' : JSON.stringify(truncateText(wrong, 80))}; ` +
          'allowed are different names of lower-case letters, digits and underscores',
      );
    }
    return new LogicalKeyColumns(columns);
  }

  /** The key with these values; see `LogicalKey.of`. */
  key(values: Readonly<Record<C, KeyValue>>): LogicalKey<C> {
    return LogicalKey.of(this, values);
  }
}

/**
 * What makes the rows of one unit of work one: (week_ending, tier), (accession_number). Immutable. Compare with
 * `equals`; `text` serves as a map key, a lock name and a partition key.
 */
export class LogicalKey<C extends string = string> {
  readonly definition: LogicalKeyColumns<C>;
  readonly #values: readonly KeyValue[];

  private constructor(definition: LogicalKeyColumns<C>, values: readonly KeyValue[]) {
    this.definition = definition;
    this.#values = Object.freeze([...values]);
    Object.freeze(this);
  }

  /**
   * Throws ValidationError naming the field for a column without a value, a value without a column, and a value that
   * no column can be compared with (null, a fraction, text that Postgres cannot store).
   */
  static of<C extends string>(
    definition: LogicalKeyColumns<C>,
    values: Readonly<Record<C, KeyValue>>,
  ): LogicalKey<C> {
    const { columns } = definition;
    const strange = Object.keys(values).find((name) => !columns.some((column) => column === name));
    if (strange !== undefined) throw refused(strange, 'it is no column of the key', columns);
    const ordered = columns.map((column) => {
      const value: unknown = Object.hasOwn(values, column) ? values[column] : undefined;
      if (isKeyValue(value)) return value;
      throw refused(column, `${shown(value)} is no value of a key`, columns);
    });
    return new LogicalKey(definition, ordered);
  }

  get columns(): readonly C[] {
    return this.definition.columns;
  }

  /** In the order of the columns. */
  get values(): readonly KeyValue[] {
    return this.#values;
  }

  /** Column by column. */
  entries(): readonly (readonly [column: C, value: KeyValue])[] {
    return this.columns.flatMap((column, index) => {
      const value = this.#values[index];
      return value === undefined ? [] : [[column, value] as const];
    });
  }

  toObject(): Readonly<Record<string, KeyValue>> {
    return Object.fromEntries(this.entries());
  }

  /** Canonical JSON: equal for equal keys, and different for 1, '1' and true. */
  get text(): string {
    return canonicalJson(this.toObject());
  }

  /**
   * The condition that holds for exactly the rows of this key, with the values as parameters from `$first` on: for
   * (week_ending, tier) `"week_ending" = $1 AND "tier" = $2`.
   */
  whereClause(first = 1): { readonly text: string; readonly values: readonly KeyValue[] } {
    const text = this.columns.map((column, index) => `"${column}" = $${first + index}`).join(' AND ');
    return { text, values: this.#values };
  }

  /** Whether the other key has the same columns, in any order, with the same values. */
  equals(other: LogicalKey): boolean {
    return this.text === other.text;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): Readonly<Record<string, KeyValue>> {
    return this.toObject();
  }
}

function isKeyValue(value: unknown): value is KeyValue {
  if (typeof value === 'string') return isStorableText(value);
  return typeof value === 'boolean' || Number.isSafeInteger(value);
}

function refused(field: string, what: string, columns: readonly string[]): ValidationError {
  return new ValidationError(
    `${truncateText(field, 80)}: ${what}; allowed are text, whole numbers and booleans for ${columns.join(', ')}`,
    {
      issues: [{ field, code: 'invalid_key', message: `must be a value for one of ${columns.join(', ')}` }],
    },
  );
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(truncateText(value, 40));
  return typeof value === 'number' || value === null ? String(value) : typeof value;
}
