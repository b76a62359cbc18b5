/**
 * Ids: UUID v7 (RFC 9562, section 5.7), made without an object that outlives the call.
 *
 * 1. Ids of one process grow, also within a millisecond and after the clock was set back: the 32 bits after the milliseconds
 * are a counter (section 6.2, method 1), which starts anywhere in its lower half each millisecond.
 * 2. The last 42 bits are random in every id, so that one id does not tell the next.
 */
import { randomFillSync } from 'node:crypto';
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
const random = Buffer.alloc(8 * 256);
let used = random.length;

/** 32 random bits. */
function random32(): number {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  used += 4;
  return random.readUInt32LE(used - 4);
}

/** The text of the last id; version and hyphens stay where they are. */
const written = Buffer.from('00000000-0000-7000-8000-000000000000');

/** Writes the low bits of `value` as hex digits into `written`, from `start` up to `end`. */
function writeHex(value: number, start: number, end: number): void {
  for (let at = end - 1, rest = value; at >= start; at -= 1, rest >>>= 4) {
    const digit = rest & 0xf;
    written[at] = digit + (digit < 10 ? 0x30 : 0x57);
  }
}

/** Milliseconds and counter of the last id. */
let lastMilliseconds = -1;
let counter = 0;

function enterMillisecond(next: number): void {
  lastMilliseconds = next;
  writeHex(Math.floor(next / 0x1_0000), 0, 8);
  writeHex(next % 0x1_0000, 9, 13);
}

function v7(): string {
  const now = Date.now();
  if (now > lastMilliseconds) {
    enterMillisecond(now);
    // 31 bits: room for two thousand million ids within the millisecond.
    counter = random32() >>> 1;
  } else {
    counter = (counter + 1) >>> 0;
    if (counter === 0) enterMillisecond(lastMilliseconds + 1);
  }
  writeHex(counter >>> 20, 15, 18);
  // The variant, which is binary 10, and 14 bits of the counter.
  writeHex(0x8000 | ((counter >>> 6) & 0x3fff), 19, 23);
  writeHex(((counter & 0x3f) << 10) | (random32() & 0x3ff), 24, 28);
  writeHex(random32(), 28, 36);
  return written.toString('latin1');
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
