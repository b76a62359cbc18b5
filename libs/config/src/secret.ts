import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { REDACTED } from '@spine/core';

/**
 * A value that must not be printed. String conversion, JSON and console output give `[REDACTED]`; the value
 * itself comes out of `reveal()` alone, which makes every use of it easy to find.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** Compares without telling by its duration how much of the candidate was right. */
  matches(candidate: string): boolean {
    const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
    return timingSafeEqual(digest(this.#value), digest(candidate));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
