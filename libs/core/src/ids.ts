import { randomFillSync } from 'node:crypto';
import { v7 as uuidV7 } from 'uuid';
import { ValidationError } from './errors/permanent.ts';

declare const brand: unique symbol;

/** `T` that only its own constructor functions make: a plain string is not accepted where a `RunId` is asked for. */
export type Brand<T, B extends string> = T & { readonly [brand]: B };

export type RunId = Brand<string, 'RunId'>;
export type WorkerId = Brand<string, 'WorkerId'>;
export type EventId = Brand<string, 'EventId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MAX_MILLISECONDS = 2 ** 48 - 1;

/** The kernel is asked for the randomness of 256 ids at once: asked for each, it is six times what an id else costs. */
const random = new Uint8Array(16 * 256);
let used = random.length;

function nextRandom(): Uint8Array {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += 16;
  return random.slice(used - 16, used);
}

/** Milliseconds and counter of the last id. The library keeps them only while it draws the random bytes itself. */
let lastMilliseconds = -1;
let sequence = 0;

function v7(): string {
  const bytes = nextRandom();
  const now = Date.now();
  if (now > lastMilliseconds) {
    lastMilliseconds = now;
    // A random start of 31 bits: room for two thousand million ids within the millisecond.
    sequence =
      (((bytes[6] ?? 0) & 0x7f) << 24) | ((bytes[7] ?? 0) << 16) | ((bytes[8] ?? 0) << 8) | (bytes[9] ?? 0);
  } else {
    // Also when the clock was set back: ids go on growing.
    sequence = (sequence + 1) | 0;
    if (sequence === 0) lastMilliseconds += 1;
  }
  return uuidV7({ random: bytes, msecs: lastMilliseconds, seq: sequence });
}

/** A new UUID v7: unique everywhere, and growing within one process, which keeps index inserts at one end. */
export function newId(): string {
  return v7();
}

export function newRunId(): RunId {
  return v7() as RunId;
}

export function newWorkerId(): WorkerId {
  return v7() as WorkerId;
}

export function newEventId(): EventId {
  return v7() as EventId;
}

/**
 * Whether `value` is a UUID of any version as Spine writes them: lower case, with hyphens. Other spellings are
 * refused because ids are compared as text outside Postgres.
 */
export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}

/** The run id in `text`, or null when it is not a canonical lower-case UUID. */
export function parseRunId(text: unknown): RunId | null {
  return isUuid(text) ? (text as RunId) : null;
}

/**
 * The smallest UUID v7 of the instant's millisecond: `id >= uuidV7LowerBound(since)` selects by time of
 * creation with the primary key alone. Throws ValidationError for an invalid Date or one outside
 * the years 1970 to 10889, which is what 48 bits hold.
 */
export function uuidV7LowerBound(instant: Date): string {
  const milliseconds = instant.getTime();
  if (!(milliseconds >= 0 && milliseconds <= MAX_MILLISECONDS)) {
    throw new ValidationError(
      `instant: ${Number.isNaN(milliseconds) ? 'an invalid date' : instant.toISOString()} has no UUID v7; ` +
        'allowed are valid dates from 1970 to 10889',
    );
  }
  const hex = milliseconds.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
