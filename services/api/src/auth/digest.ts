import { createHash, timingSafeEqual } from 'node:crypto';

/** SHA-256 of a key's text: what is stored and compared. */
export function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** In a time that does not tell how much of it was right. */
export function sameDigest(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
