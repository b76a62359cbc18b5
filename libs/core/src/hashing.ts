import { hash } from 'node:crypto';
import { ValidationError } from './errors/permanent.ts';
import { canonicalJson } from './json/canonical-json.ts';

/** SHA-256 as 64 lower-case hex digits. Text is hashed as UTF-8, in which a lone surrogate counts as U+FFFD. */
export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

/** The hash of any JSON value, whatever the order of its keys. Throws ValidationError as `canonicalJson` does. */
export function hashJson(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}

/**
 * The hash of the fields of one row, for duplicate detection: SHA-256 of the JSON array of the values. Fields
 * cannot run into each other (`['ab', 'c']` and `['a', 'bc']` differ) and types are kept apart (1, '1' and
 * null differ), so pass values in one fixed order and normalised. Throws ValidationError for any other value.
 */
export function hashRecord(values: readonly (string | number | null)[]): string {
  // JSON.stringify alone is canonical for a flat array and several times faster, but it writes null for NaN
  // and undefined, which would make different rows equal.
  for (let index = 0; index < values.length; index += 1) {
    const value: unknown = values[index];
    const usable = typeof value === 'string' || value === null || Number.isFinite(value);
    if (!usable) {
      const shown = typeof value === 'number' ? String(value) : typeof value;
      throw new ValidationError(
        `values[${index}]: ${shown} cannot be hashed; allowed are text, finite numbers and null`,
      );
    }
  }
  return sha256Hex(JSON.stringify(values));
}

/**
 * Columns that say when and by which run a row was written, and nothing about what it says. Two rows that differ in
 * these alone are the same data.
 */
export const AUDIT_FIELDS: readonly string[] = [
  'batch_id',
  'calculated_at',
  'capture_id',
  'captured_at',
  'created_at',
  'execution_id',
  'ingested_at',
  'parent_execution_id',
  'recorded_at',
  'run_id',
  'updated_at',
];

/**
 * The hash of some fields of a record, names included, whatever their order: of the natural key to find a record again,
 * of the key and the content to see that it has changed. Values as `canonicalJson` takes them (Dates and decimals count
 * as their text). Throws ValidationError for no fields and for one that the record does not have, because rows without
 * it would all look the same.
 */
export function hashFields(record: Readonly<Record<string, unknown>>, fields: readonly string[]): string {
  if (fields.length === 0) {
    throw new ValidationError('fields: there are none to hash; allowed are one or more');
  }
  const missing = fields.find((field) => !Object.hasOwn(record, field) || record[field] === undefined);
  if (missing !== undefined) {
    throw new ValidationError(`${missing}: the record has no such field; allowed are its own fields`, {
      issues: [{ field: missing, code: 'missing', message: 'must be a field of the record' }],
    });
  }
  return hashJson(Object.fromEntries(fields.map((field) => [field, record[field]])));
}

/** The hash of all fields but the `excluded` ones (default: `AUDIT_FIELDS`). Throws as `hashFields` does. */
export function hashContent(
  record: Readonly<Record<string, unknown>>,
  excluded: readonly string[] = AUDIT_FIELDS,
): string {
  return hashFields(
    record,
    Object.keys(record).filter((field) => !excluded.includes(field)),
  );
}
