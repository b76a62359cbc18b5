/**
 * Distributed locks for what takes longer than a transaction.
 *
 * 1. A lock is a lease row (libs/database/src/locks): one owner at a time, by the database's clock, a new and larger
 *    token with every acquisition.
 * 2. Holding it is no permission to write: {@link LockManager.fenced} asks in the transaction that writes, so that an
 *    owner that stood still past its lease writes nothing.
 * 3. A holder that dies delays others by its lease at the most; one that stops releases it.
 */
import { TransientError, ValidationError } from '@spine/core';
import {
  acquireLock,
  asQueryable,
  deleteExpiredLocks,
  forceReleaseLock,
  listLocks,
  lockIsHeld,
  releaseLock,
  renewLock,
} from '@spine/database';
import type { AcquireOutcome, Db, DbTransaction, LockRecord } from '@spine/database';
import type { TickLease } from '@spine/execution';

/** The lock is not held (any more) with the token at hand; nothing was written. */
export class LockLostError extends TransientError {
  constructor(key: string) {
    super(`lock ${JSON.stringify(key)} is not held any more; nothing was written`);
  }
}

export interface LockManagerOptions {
  readonly db: Db;
  /** Which process this is, shown to whoever finds a lock held: 1 to 200 characters. */
  readonly owner: string;
}

export interface HeldLock {
  readonly key: string;
  /** Goes with every write made under the lock. */
  readonly token: number;
  readonly expiresAt: Date;
}

export const LOCK_LIMITS = {
  key: /^[A-Za-z0-9][A-Za-z0-9_.:/{}-]{0,199}$/,
  /** Shorter leases end between two beats of a busy process. */
  minTtlMs: 1_000,
  maxTtlMs: 86_400_000,
} as const;

export class LockManager {
  readonly #db: Db;
  readonly #owner: string;

  constructor({ db, owner }: LockManagerOptions) {
    this.#db = db;
    this.#owner = owner;
  }

  /** Takes a lock, or tells who has it. @throws ValidationError for a key or a time that is not allowed. */
  async acquire(key: string, ttlMs: number, note?: string): Promise<AcquireOutcome> {
    checkKey(key);
    checkTtl(ttlMs);
    return acquireLock(asQueryable(this.#db), { key, owner: this.#owner, ttlMs, note });
  }

  /** Extends a lease; null when the lock is lost. */
  async renew(lock: HeldLock, ttlMs: number): Promise<HeldLock | null> {
    checkTtl(ttlMs);
    const expiresAt = await renewLock(asQueryable(this.#db), { ...lock, ttlMs });
    return expiresAt === null ? null : { ...lock, expiresAt };
  }

  /** Gives a lock back; false when it was lost before. */
  release(lock: HeldLock): Promise<boolean> {
    return releaseLock(asQueryable(this.#db), lock);
  }

  /**
   * Writes under a lock: in one transaction in which the lock is held throughout.
   *
   * @throws LockLostError when it is not; then nothing was written.
   */
  fenced<T>(lock: HeldLock, work: (trx: DbTransaction) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute(async (trx) => {
      if (!(await lockIsHeld(asQueryable(trx), lock))) throw new LockLostError(lock.key);
      return work(trx);
    });
  }

  list(prefix?: string): Promise<readonly LockRecord[]> {
    return listLocks(asQueryable(this.#db), prefix === undefined ? {} : { prefix });
  }

  /** Takes a lock from whoever holds it; what they still write under it is refused. Null when nobody did. */
  forceRelease(key: string): Promise<LockRecord | null> {
    return forceReleaseLock(asQueryable(this.#db), key);
  }

  /** Removes leases that have been over for an hour; answers how many. */
  cleanUp(olderThanMs = 3_600_000): Promise<number> {
    return deleteExpiredLocks(asQueryable(this.#db), olderThanMs);
  }

  /** A lease for a maintenance service, kept as long as its rounds go on. */
  lease(key: string, ttlMs: number): ServiceLease {
    checkKey(key);
    checkTtl(ttlMs);
    return new ServiceLease(this, key, ttlMs);
  }
}

/** Held from the first round that gets it until the service stops; renewed when a third of it is over. */
export class ServiceLease implements TickLease {
  readonly #locks: LockManager;
  readonly #key: string;
  readonly #ttlMs: number;
  #held: HeldLock | null = null;
  #renewAt = 0;

  constructor(locks: LockManager, key: string, ttlMs: number) {
    this.#locks = locks;
    this.#key = key;
    this.#ttlMs = ttlMs;
  }

  get held(): HeldLock | null {
    return this.#held;
  }

  async hold(): Promise<boolean> {
    // The process's own clock only says when to ask again; whether it is held is the database's word.
    const now = performance.now();
    if (this.#held !== null && now < this.#renewAt) return true;
    const kept = this.#held === null ? null : await this.#locks.renew(this.#held, this.#ttlMs);
    this.#held = kept ?? (await this.#take());
    this.#renewAt = now + this.#ttlMs / 3;
    return this.#held !== null;
  }

  async release(): Promise<void> {
    const lock = this.#held;
    this.#held = null;
    if (lock !== null) await this.#locks.release(lock);
  }

  async #take(): Promise<HeldLock | null> {
    const outcome = await this.#locks.acquire(this.#key, this.#ttlMs);
    if (outcome.type === 'held') return null;
    return { key: this.#key, token: outcome.token, expiresAt: outcome.expiresAt };
  }
}

function checkKey(key: string): void {
  if (!LOCK_LIMITS.key.test(key))
    throw new ValidationError(
      `key: ${JSON.stringify(key.slice(0, 80))} is no lock key; allowed are letters, digits and "_.:/{}-", 1 to 200`,
      {
        issues: [
          { field: 'key', code: 'invalid_key', message: 'must be 1 to 200 letters, digits and "_.:/{}-"' },
        ],
      },
    );
}

function checkTtl(ttlMs: number): void {
  const { minTtlMs, maxTtlMs } = LOCK_LIMITS;
  if (!(ttlMs >= minTtlMs && ttlMs <= maxTtlMs))
    throw new ValidationError(`ttlMs: ${ttlMs} is not allowed; allowed are ${minTtlMs} to ${maxTtlMs}`, {
      issues: [{ field: 'ttl_ms', code: 'out_of_range', message: `must be ${minTtlMs} to ${maxTtlMs}` }],
    });
}
