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
