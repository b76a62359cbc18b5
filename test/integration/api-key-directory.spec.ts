/** What a process remembers of keys: asked for seldom, and never longer than it says. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatApiKey, newId } from '@spine/core';
import { createPool, insertApiKey, revokeApiKey } from '@spine/database';
import type { Pool, Queryable } from '@spine/database';
import { digestOf, KEY_TTL_MS, KeyDirectory } from '@spine/api';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let pool: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  pool = createPool({ connectionString: base.connectionString });
});
afterAll(async () => {
  await pool.end();
  await base.close();
});

let asked = 0;
let now = 0;
/** What an answer of the database waits for before it is heard. */
let heard: Promise<void> = Promise.resolve();
beforeEach(() => {
  asked = 0;
  now = 0;
  heard = Promise.resolve();
});

/** The real database, with its looks at keys counted and its answers held up. */
const db: Queryable = {
  query: async (config) => {
    const answer = await pool.query<never>(config);
    if (config.name !== 'spine_api_key_facts') return answer;
    asked += 1;
    await heard;
    return answer;
  },
};

const directory = () => new KeyDirectory({ db, now: () => now });

async function newKey(
  expiresAt: Date | null = null,
): Promise<{ keyId: string; text: string; digest: Buffer }> {
  const keyId = newId();
  const text = formatApiKey(keyId, randomBytes(32).toString('base64url'));
  const digest = digestOf(text);
  await insertApiKey(base.db, {
    keyId,
    name: 'k',
    scopes: ['read'],
    namespace: null,
    hash: digest,
    createdBy: 'local',
    expiresAt,
  });
  return { keyId, text, digest };
}

describe('a process', () => {
  it('asks once for all who come at the same time, and not again while it remembers', async () => {
    const keys = directory();
    const { keyId, text, digest } = await newKey();
    const found = await Promise.all(Array.from({ length: 50 }, async () => keys.find(text, digest)));
    expect(new Set(found.map((principal) => principal?.id))).toEqual(new Set([`key:${keyId}`]));
    now = KEY_TTL_MS - 1;
    // At once: without a promise.
    expect(keys.find(text, digest)).toMatchObject({ id: `key:${keyId}`, type: 'key', namespace: null });
    expect(asked).toBe(1);
    now = KEY_TTL_MS;
    await keys.find(text, digest);
    expect(asked).toBe(2);
  });

  it('believes nobody longer than that', async () => {
    const keys = directory();
    const { keyId, text, digest } = await newKey();
    await keys.find(text, digest);
    await revokeApiKey(base.db, keyId, 'local');
    now = KEY_TTL_MS;
    expect(await keys.find(text, digest)).toBeNull();
  });

  it('counts down what it was told about the time a key has left', async () => {
    const keys = directory();
    const { text, digest } = await newKey(new Date(Date.now() + 1_000));
    expect(await keys.find(text, digest)).not.toBeNull();
    now = 1_001;
    expect(keys.find(text, digest)).toBeNull();
    expect(asked).toBe(1);
  });

  it('remembers nothing that it read before a change that it made', async () => {
    const keys = directory();
    const { keyId, text, digest } = await newKey();
    let hear: () => void = () => undefined;
    heard = new Promise((resolve) => (hear = resolve));
    const first = keys.find(text, digest);
    const second = keys.find(text, digest);
    await expect.poll(() => asked).toBe(1);
    await revokeApiKey(base.db, keyId, 'local');
    keys.forget(keyId);
    hear();
    await Promise.all([first, second]);
    expect(await keys.find(text, digest)).toBeNull();
  });

  it('is not asked twice about an id that is not there, and forgets it as soon', async () => {
    const keys = directory();
    const text = formatApiKey(newId(), 'A'.repeat(43));
    for (let n = 0; n < 3; n += 1) expect(await keys.find(text, digestOf(text))).toBeNull();
    expect(asked).toBe(1);
    now = KEY_TTL_MS;
    await keys.find(text, digestOf(text));
    expect(asked).toBe(2);
  });

  it('keeps the keys it knows, however many others are tried', async () => {
    const keys = directory();
    const { keyId, text, digest } = await newKey();
    await keys.find(text, digest);
    const wrong = formatApiKey(keyId, 'A'.repeat(43));
    expect(await keys.find(wrong, digestOf(wrong))).toBeNull();
    await Promise.all(
      Array.from({ length: 1_100 }, async () => {
        const other = formatApiKey(newId(), 'A'.repeat(43));
        return keys.find(other, digestOf(other));
      }),
    );
    asked = 0;
    expect(await keys.find(text, digest)).not.toBeNull();
    expect(asked).toBe(0);
  });
});
