import { ValidationError } from './errors/permanent.ts';

/** Where "now" comes from. Decisions take an instant; only shells hold a clock. */
export interface Clock {
  /** The current instant, as a Date of its own that the caller may change. */
  now(): Date;
}

/** The machine's clock. What decides about runs is the database's clock, never this one. */
export const systemClock: Clock = { now: () => new Date() };

/** A clock that stands still. Throws ValidationError for an invalid instant. */
export class FixedClock implements Clock {
  readonly #milliseconds: number;

  /** `instant`: a Date, or text with a zone such as '2025-12-26T00:00:00Z'. */
  constructor(instant: Date | string) {
    this.#milliseconds = millisecondsOf(instant);
  }

  now(): Date {
    return new Date(this.#milliseconds);
  }
}

/** A clock that moves when told to. Throws ValidationError for an invalid instant or distance. */
export class ManualClock implements Clock {
  #milliseconds: number;

  /** `start`: a Date, or text with a zone such as '2025-12-26T00:00:00Z'. */
  constructor(start: Date | string) {
    this.#milliseconds = millisecondsOf(start);
  }

  now(): Date {
    return new Date(this.#milliseconds);
  }

  /** Moves forward by `milliseconds`, zero or more, and returns the new instant. To go back, use `set`. */
  advance(milliseconds: number): Date {
    if (!(milliseconds >= 0)) {
      throw new ValidationError(
        `milliseconds: ${milliseconds} is not a distance; allowed are numbers from 0 on`,
      );
    }
    return this.set(new Date(this.#milliseconds + milliseconds));
  }

  /** Jumps to `instant`, back or forth, and returns it. */
  set(instant: Date | string): Date {
    this.#milliseconds = millisecondsOf(instant);
    return this.now();
  }
}

/** Text without a zone would be read in the machine's zone and mean something else on another machine. */
const ZONED = /T.*(?:Z|[+-]\d{2}:\d{2})$/;

function millisecondsOf(instant: Date | string): number {
  const readable = typeof instant !== 'string' || ZONED.test(instant);
  const milliseconds = readable ? new Date(instant).getTime() : Number.NaN;
  if (Number.isNaN(milliseconds)) {
    throw new ValidationError(
      `instant: ${typeof instant === 'string' ? JSON.stringify(instant) : 'an invalid Date'} is not an instant; ` +
        "allowed are valid Dates and ISO text with a zone, such as '2025-12-26T00:00:00Z'",
    );
  }
  return milliseconds;
}
