/** What a cache is: values that may be gone at any time, by namespaced keys. Never the truth of anything. */
import { isStorableText, TransientError, ValidationError } from '@spine/core';
import type { JsonValue } from '@spine/core';

/** Asks for a value to be kept this long. */
export interface CacheSetOptions {
  /** More than 0, at most 30 days; milliseconds count. Default: the cache's own. */
  readonly ttlSeconds?: number | undefined;
}

/**
 * Values are JSON: what comes back is a copy. A key belongs to the namespace its cache was made for; two caches of one
 * namespace on one Redis are one cache.
 */
export interface CacheBackend {
  /** Undefined: not there, or not any more. */
  get(key: string): Promise<JsonValue | undefined>;
  /** @throws ValidationError for a key, value or time that cannot be kept */
  set(key: string, value: JsonValue, options?: CacheSetOptions): Promise<void>;
  /** Whether it was there. */
  delete(key: string): Promise<boolean>;
  exists(key: string): Promise<boolean>;
  /** Forgets everything in its namespace, and nothing else. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** The cache cannot be asked, and its maker wanted to be told. */
export class CacheUnavailableError extends TransientError {}

/**
 * Unless said otherwise. There is no "for ever": the Redis of the queue must never evict anything, so what has no end
 * would fill it.
 */
export const DEFAULT_TTL_SECONDS = 3_600;

const LONGEST_TTL_SECONDS = 30 * 86_400;
const LONGEST_KEY = 512;
/** Characters of JSON. */
const LARGEST_VALUE = 1024 * 1024;
const NAMESPACE = /^[a-z][a-z0-9_-]{0,62}$/;

function refuse(field: string, code: string, message: string): never {
  throw new ValidationError(`${field}: ${message}`, { issues: [{ field, code, message }] });
}

/** Names are parts of keys in Redis, and of a pattern there: no separators, no wildcards. */
export function checkNamespace(namespace: string, field = 'namespace'): string {
  if (NAMESPACE.test(namespace)) return namespace;
  return refuse(field, 'invalid_namespace', 'allowed: a-z followed by up to 62 of a-z 0-9 _ -');
}

export function checkKey(key: string): string {
  if (key.length > 0 && key.length <= LONGEST_KEY && isStorableText(key)) return key;
  return refuse('key', 'invalid_key', `allowed: 1 to ${LONGEST_KEY} characters that can be stored`);
}

/** In milliseconds. */
export function checkTtl(seconds: number): number {
  if (seconds > 0 && seconds <= LONGEST_TTL_SECONDS) return Math.ceil(seconds * 1_000);
  return refuse(
    'ttl_seconds',
    'invalid_ttl',
    `given ${seconds}; allowed: more than 0, up to ${LONGEST_TTL_SECONDS}`,
  );
}

export function toCacheText(value: JsonValue): string {
  // JavaScript can pass what the type forbids, and undefined would be no JSON.
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return refuse('value', 'not_json', 'allowed: JSON values');
  if (text.length > LARGEST_VALUE) {
    return refuse(
      'value',
      'value_too_large',
      `has ${text.length} characters of JSON; allowed: up to ${LARGEST_VALUE}`,
    );
  }
  return text;
}
