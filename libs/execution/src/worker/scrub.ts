/**
 * Keeps the secrets that handlers have been given out of what is kept of their runs: errors, results, events, log lines.
 *
 * 1. What `ctx.secret` gave is known from then on to every attempt that shares the resolver: a client made in one attempt may
 *    put a key into the error of another. Params whose names say that they may be secret are known to their attempt.
 * 2. A value is found as it is, as JSON writes it and as a URL writes it. What a handler changes otherwise (base64, a
 *    hash, half of it) is not found.
 * 3. A value shorter than {@link MIN_LENGTH} is not looked for: it would be found in ordinary text.
 */
import { isStorableText, REDACTED } from '@spine/core';
import type { AttemptEnd } from '../policy/retry.ts';
import type { HandlerSecrets } from './secrets.ts';

/** Characters of a secret that is looked for. */
export const MIN_LENGTH = 8;
/** Values that are remembered, the latest. */
const MAX_VALUES = 1_000;
/** Where texts are cut, half a secret may stand at the end: this much of one is taken for it. */
const MIN_PREFIX = 4;

export class Scrubber {
  readonly #shared: Scrubber | null;
  /** Of each value, every way it may be written; the longest first, as one may hold another. Null while none is known. */
  #forms: Map<string, readonly string[]> | null = null;

  /** @param shared what others know is looked for too. */
  constructor(shared: Scrubber | null = null) {
    this.#shared = shared;
  }

  /** Remembers a value for everybody who shares. */
  share(value: string): void {
    (this.#shared ?? this).add(value);
  }

  /** Remembers a value. */
  add(value: string): void {
    if (value.length < MIN_LENGTH) return;
    const known = (this.#forms ??= new Map());
    // The latest stay.
    known.delete(value);
    const forms = [
      value,
      JSON.stringify(value).slice(1, -1),
      isStorableText(value) ? encodeURIComponent(value) : value,
    ];
    known.set(
      value,
      [...new Set(forms)].sort((a, b) => b.length - a.length),
    );
    const [oldest] = known.keys();
    if (known.size > MAX_VALUES && oldest !== undefined) known.delete(oldest);
  }

  /** The text without secrets. JSON stays JSON. */
  text(text: string): string {
    let clean = this.#shared?.text(text) ?? text;
    for (const forms of this.#forms?.values() ?? []) {
      for (const form of forms) {
        if (clean.includes(form)) clean = clean.replaceAll(form, REDACTED);
      }
    }
    return clean;
  }

  /** The same of a text that may have been cut in the middle of a secret. */
  cutText(text: string): string {
    const clean = this.text(text);
    for (const value of this.#values()) {
      for (let length = value.length - 1; length >= MIN_PREFIX; length -= 1) {
        if (clean.endsWith(value.slice(0, length))) return `${clean.slice(0, -length)}${REDACTED}`;
      }
    }
    return clean;
  }

  /** How an attempt ended, with nothing in it that is kept of a run but must not be. */
  end(end: AttemptEnd): AttemptEnd {
    if (this.#isEmpty()) return end;
    switch (end.type) {
      case 'returned':
        return end.result === null ? end : { ...end, result: this.text(end.result) };
      case 'threw':
      case 'timed_out': {
        const { message, type } = end.error;
        return { ...end, error: { ...end.error, message: this.#message(message), type: this.text(type) } };
      }
      case 'deferred':
      case 'interrupted':
        return { ...end, reason: this.text(end.reason) };
      case 'published':
      case 'hands_over':
        return end;
    }
  }

  #isEmpty(): boolean {
    return this.#forms === null && (this.#shared === null || this.#shared.#isEmpty());
  }

  #values(): readonly string[] {
    const shared = this.#shared === null ? [] : this.#shared.#values();
    return [...(this.#forms?.keys() ?? []), ...shared];
  }

  /** Errors are cut where they are long. */
  #message(text: string): string {
    return text.length < CUT_AT ? this.text(text) : this.cutText(text);
  }
}

/** Of messages of errors: see ErrorInfo. */
const CUT_AT = 3_900;

/** Gone with the resolvers they belong to. */
const scrubbers = new WeakMap<HandlerSecrets, Scrubber>();

/** The one of everybody who gets secrets from there. */
export function scrubberOf(secrets: HandlerSecrets): Scrubber {
  const known = scrubbers.get(secrets);
  if (known !== undefined) return known;
  const scrubber = new Scrubber();
  scrubbers.set(secrets, scrubber);
  return scrubber;
}
