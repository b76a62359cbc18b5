import type { Secret } from '@spine/config';
import { digestOf, sameDigest } from './digest.ts';
import { staticPrincipal } from './principal.ts';
import type { Principal } from './principal.ts';

/** The keys of SPINE_API_KEYS, which may do everything: how a deployment begins, and gets in again. */
export class StaticKeys {
  readonly #keys: readonly { readonly digest: Buffer; readonly principal: Principal }[];

  constructor(keys: readonly Secret[]) {
    this.#keys = keys.map((key, index) => ({
      digest: digestOf(key.reveal()),
      principal: staticPrincipal(index + 1),
    }));
  }

  find(digest: Buffer): Principal | null {
    let found: Principal | null = null;
    // Every key is compared, the right one too: no early return.
    for (const known of this.#keys) {
      const same = sameDigest(known.digest, digest);
      if (same && found === null) found = known.principal;
    }
    return found;
  }
}
