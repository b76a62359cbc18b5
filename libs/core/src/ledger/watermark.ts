import { ValidationError } from '../errors/permanent.ts';
import { isPlainDate } from '../temporal/plain-date.ts';
import { isStorableText, truncateText } from '../text.ts';

/** What a high-water mark is compared as. */
export const WATERMARK_KINDS = ['date', 'instant', 'integer', 'text'] as const;
export type WatermarkKind = (typeof WATERMARK_KINDS)[number];

/** How far a source was read: a kind, and the position in the one spelling of that kind. */
export interface HighWater {
  readonly kind: WatermarkKind;
  readonly highWater: string;
}

/** Of a proposed mark against the one that stands. */
export type WatermarkVerdict =
  | 'advanced'
  /** The same position again: nothing is written. */
  | 'unchanged'
  /** Before the one that stands: refused. */
  | 'behind';

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})T((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,6}))?(Z|[+-]\d{2}:\d{2})$/;
const INTEGER = /^-?\d{1,100}$/;
const MAX_TEXT = 1_000;

const ALLOWED: Readonly<Record<WatermarkKind, string>> = {
  date: 'a calendar date as YYYY-MM-DD',
  instant: 'an RFC 3339 instant such as 2026-01-31T12:00:00Z, with at most 6 digits of a second',
  integer: 'a whole number of at most 100 digits',
  text: `text of 1 to ${MAX_TEXT} characters without NUL`,
};

/**
 * `text` in the one spelling of its kind, so that equal positions are equal text: instants in UTC with six digits of a
 * second, integers without leading zeros.
 *
 * @throws ValidationError naming `field`, the value and what the kind allows.
 */
export function parseHighWater(kind: WatermarkKind, text: string, field = 'high_water'): string {
  const canonical = canonicalOf(kind, text);
  if (canonical !== null) return canonical;
  const message = `must be ${ALLOWED[kind]}, because its kind is ${kind}`;
  throw new ValidationError(`${field}: ${JSON.stringify(truncateText(text, 60))} ${message}`, {
    issues: [{ field, code: 'invalid_high_water', message }],
  });
}

function canonicalOf(kind: WatermarkKind, text: string): string | null {
  switch (kind) {
    case 'date':
      return isPlainDate(text) ? text : null;
    case 'instant':
      return canonicalInstant(text);
    case 'integer':
      return INTEGER.test(text) ? BigInt(text).toString() : null;
    case 'text':
      return text.length >= 1 && text.length <= MAX_TEXT && isStorableText(text) ? text : null;
  }
}

function canonicalInstant(text: string): string | null {
  const [, date, time, fraction = '', offset] = INSTANT.exec(text) ?? [];
  if (!isPlainDate(date)) return null;
  const instant = new Date(`${date}T${time}${offset}`);
  // An offset can carry an instant out of the years that four digits spell.
  if (!(instant.getTime() >= 0 && instant.getUTCFullYear() <= 9999)) return null;
  return `${instant.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}Z`;
}

/** -1, 0 or 1: where `a` stands to `b`, both in the spelling of their kind. Text is compared by code point. */
export function compareHighWater(kind: WatermarkKind, a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  if (kind === 'integer') return BigInt(a) < BigInt(b) ? -1 : 1;
  // UTF-8 bytes are in the order of code points; JavaScript's own order is that of UTF-16 units.
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 ? -1 : 1;
}

/**
 * Whether a mark moves. The database decides the same in the statement that writes it.
 * @param current null where there is none yet: every first mark is an advance.
 * @throws ValidationError when the two are of different kinds.
 */
export function watermarkVerdict(current: HighWater | null, proposed: HighWater): WatermarkVerdict {
  if (current === null) return 'advanced';
  if (current.kind !== proposed.kind) {
    const message = `is ${proposed.kind}, but the watermark is of kind ${current.kind}`;
    throw new ValidationError(`kind: ${message}`, {
      issues: [{ field: 'kind', code: 'kind_changed', message }],
    });
  }
  switch (compareHighWater(current.kind, proposed.highWater, current.highWater)) {
    case 1:
      return 'advanced';
    case 0:
      return 'unchanged';
    case -1:
      return 'behind';
  }
}

/** Those of `expected` that are not in `present`, each once, in the order in which they are expected. */
export function listGaps(expected: readonly string[], present: Iterable<string>): readonly string[] {
  const there = new Set(present);
  return [...new Set(expected)].filter((key) => !there.has(key));
}
