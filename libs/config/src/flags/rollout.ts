import { createHash } from 'node:crypto';

const BUCKETS = 100;

/**
 * Which of 100 buckets a key is in, for one flag: SHA-256 of flag and key, its first 48 bits modulo 100. The same on
 * every machine and in every release; another flag puts the same keys into other buckets.
 */
export function rolloutBucket(flag: string, key: string): number {
  return createHash('sha256').update(`${flag}\0${key}`).digest().readUIntBE(0, 6) % BUCKETS;
}

/** Raising the percentage only ever adds keys. */
export function isRolledOut(flag: string, key: string, percent: number): boolean {
  return rolloutBucket(flag, key) < percent;
}
