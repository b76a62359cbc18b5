/**
 * The keys of the database, as this process knows them.
 *
 * 1. What is known of a key is believed for {@link KEY_TTL_MS}: a key that was revoked, rotated or shortened elsewhere opens
 *    nothing after that. In the process that changed it, it opens nothing from then on.
 * 2. Requests that come while a key is being read wait for that one read.
 * 3. What was read before a change that this process was told of is not remembered.
 * 4. Ids that are not there are remembered apart and as briefly: guessing cannot push known keys out.
 * 5. While the database does not answer, a key that is not remembered is neither good nor bad: that is thrown.
 */
import { isKeyUsable, parseApiKey } from '@spine/core';
import { apiKeyFacts, touchApiKey } from '@spine/database';
import type { KeyFacts, Queryable } from '@spine/database';
import { sameDigest } from './digest.ts';
import type { Principal } from './principal.ts';

/** How long a change of a key may take to be known in another process. */
export const KEY_TTL_MS = 3_000;

const MAX_KEYS = 10_000;
const MAX_UNKNOWN = 1_000;

interface Known {
  readonly facts: KeyFacts;
  readonly readAt: number;
  readonly principal: Principal;
}

function principalOfKey({ keyId, name, scopes, namespace }: KeyFacts): Principal {
  return { type: 'key', id: `key:${keyId}`, name, scopes, namespace };
}

function offeredOf({ hash, previousHash }: KeyFacts, digest: Buffer): 'current' | 'previous' | 'neither' {
  const isPrevious = previousHash !== null && sameDigest(previousHash, digest);
  if (sameDigest(hash, digest)) return 'current';
  return isPrevious ? 'previous' : 'neither';
}

/** Removes what was put in first. */
function bound<V>(map: Map<string, V>, most: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}

export interface KeyDirectoryOptions {
  readonly db: Queryable;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** Told what could not be noted; nothing depends on it. */
  readonly onError?: (error: unknown) => void;
}

export class KeyDirectory {
  readonly #db: Queryable;
  readonly #now: () => number;
  readonly #onError: (error: unknown) => void;
  readonly #known = new Map<string, Known>();
  readonly #unknown = new Map<string, number>();
  readonly #reading = new Map<string, Promise<Known | null>>();
  #changes = 0;

  constructor({ db, now = () => performance.now(), onError = () => undefined }: KeyDirectoryOptions) {
    this.#db = db;
    this.#now = now;
    this.#onError = onError;
  }

  /**
   * Whose key it is; null for whatever opens nothing. At once where the key is remembered.
   * @throws the driver's error when it has to be read and cannot.
   */
  find(text: string, digest: Buffer): Principal | null | Promise<Principal | null> {
    const keyId = parseApiKey(text);
    if (keyId === null) return null;
    const now = this.#now();
    const known = this.#known.get(keyId);
    if (known !== undefined && now - known.readAt < KEY_TTL_MS) return this.#judge(known, digest);
    const missing = this.#unknown.get(keyId);
    if (missing !== undefined && now - missing < KEY_TTL_MS) return null;
    return this.#read(keyId).then((read) => {
      const principal = read === null ? null : this.#judge(read, digest);
      // Once a read, and not for wrong secrets.
      if (principal !== null) touchApiKey(this.#db, keyId).catch(this.#onError);
      return principal;
    });
  }

  /** A key was changed by this process. */
  forget(keyId: string): void {
    this.#changes += 1;
    this.#known.delete(keyId);
    this.#unknown.delete(keyId);
    this.#reading.delete(keyId);
  }

  #judge({ facts, readAt, principal }: Known, digest: Buffer): Principal | null {
    const passed = this.#now() - readAt;
    const left = (ms: number | null): number | null => (ms === null ? null : ms - passed);
    const usable = isKeyUsable({
      revoked: facts.revoked,
      expiresInMs: left(facts.expiresInMs),
      offered: offeredOf(facts, digest),
      previousForMs: left(facts.previousForMs),
    });
    return usable ? principal : null;
  }

  #read(keyId: string): Promise<Known | null> {
    const under = this.#reading.get(keyId);
    if (under !== undefined) return under;
    const reading = this.#load(keyId).finally(() => {
      if (this.#reading.get(keyId) === reading) this.#reading.delete(keyId);
    });
    this.#reading.set(keyId, reading);
    return reading;
  }

  async #load(keyId: string): Promise<Known | null> {
    const changes = this.#changes;
    // From before the question: what is read is at least as old as that.
    const readAt = this.#now();
    const facts = await apiKeyFacts(this.#db, keyId);
    const isCurrent = changes === this.#changes;
    if (facts === null) {
      this.#known.delete(keyId);
      if (isCurrent) this.#unknown.set(keyId, readAt);
      bound(this.#unknown, MAX_UNKNOWN);
      return null;
    }
    const known = { facts, readAt, principal: principalOfKey(facts) };
    this.#known.delete(keyId);
    if (isCurrent) this.#known.set(keyId, known);
    bound(this.#known, MAX_KEYS);
    return known;
  }
}
