/**
 * Whether the API knows a key, asked of the API itself.
 *
 * 1. What a key may do is decided by the API, at each call: the gate only keeps those out who have none. A key that was good
 * may pass the gate for `REMEMBER_MS` more after it was revoked, and do nothing. 2. Keys are kept as digests. 3. The API counts
 * wrong keys by address, and ours is the same for all: after `MAX_WRONG` wrong ones in `WINDOW_MS` keys that are not
 * remembered are turned away unasked, so that a stranger's guessing does not lock out everybody. 4. Memory is bounded.
 * 5. An API that asks for no key is not opened to others by being asked with some text for a key.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '@spine/core';
import { isProblem } from '@spine/sdk';
import type { SpineClient } from '@spine/sdk';

export const REMEMBER_MS = 30_000;
export const WINDOW_MS = 60_000;
export const MAX_WRONG = 30;
const MAX_REMEMBERED = 1_000;

export type KeyVerdict =
  | 'good'
  | 'wrong'
  /** Too many wrong ones lately. */
  | 'turned_away'
  /** The API asks for no key. */
  | 'open_api';

export interface KeyGateOptions {
  /** A client with this key. */
  readonly clientOf: (key: string) => Pick<SpineClient, 'capabilities'>;
  readonly clock: Clock;
}

export class KeyGate {
  readonly #options: KeyGateOptions;
  /** Until when, by digest; the oldest first. */
  readonly #good = new Map<string, number>();
  #windowEnds = 0;
  #wrong = 0;

  constructor(options: KeyGateOptions) {
    this.#options = options;
  }

  /** @throws what the client throws when the API does not answer */
  async check(key: string): Promise<KeyVerdict> {
    const now = this.#options.clock.now().getTime();
    const digest = createHash('sha256').update(key).digest('hex');
    const until = this.#good.get(digest);
    if (until !== undefined && until > now) return 'good';
    if (now >= this.#windowEnds) {
      this.#windowEnds = now + WINDOW_MS;
      this.#wrong = 0;
    }
    if (this.#wrong >= MAX_WRONG) return 'turned_away';
    // Counted before the answer is there: guesses at the same time count too.
    this.#wrong += 1;
    let isWrong = false;
    try {
      const verdict = await this.#ask(key);
      isWrong = verdict === 'wrong';
      if (verdict === 'good') this.#remember(digest, now + REMEMBER_MS);
      return verdict;
    } finally {
      if (!isWrong) this.#wrong = Math.max(0, this.#wrong - 1);
    }
  }

  async #ask(key: string): Promise<KeyVerdict> {
    try {
      const { mode } = await this.#options.clientOf(key).capabilities({ retries: 0 });
      return mode === 'open' ? 'open_api' : 'good';
    } catch (error) {
      if (isProblem(error, 'UNAUTHENTICATED')) return 'wrong';
      // Known, and may not look: what it may do is said at each call.
      if (isProblem(error, 'FORBIDDEN')) return 'good';
      throw error;
    }
  }

  #remember(digest: string, until: number): void {
    this.#good.delete(digest);
    this.#good.set(digest, until);
    const [oldest] = this.#good.keys();
    if (this.#good.size > MAX_REMEMBERED && oldest !== undefined) this.#good.delete(oldest);
  }
}
