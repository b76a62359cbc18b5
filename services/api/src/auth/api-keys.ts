import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '@spine/config';

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The configured keys, as digests: compared in a time that tells neither which key nor how much of one was right. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly Secret[]) {
    this.#digests = keys.map((key) => digest(key.reveal()));
  }

  accepts(candidate: string): boolean {
    const given = digest(candidate);
    let found = false;
    // Every key is compared, the right one too: no early return.
    for (const known of this.#digests) found = timingSafeEqual(known, given) || found;
    return found;
  }
}
