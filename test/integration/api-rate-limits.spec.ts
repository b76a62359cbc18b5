/** How many requests a caller may make, in one process and over several, and that nobody guesses keys at speed. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisServer, waitFor } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import { randomKey, startApi } from './api-support.ts';
import type { Answer, Api } from './api-support.ts';

const ADMIN = randomKey();
const OTHER = randomKey();
const LIMIT = 90;
const env = { SPINE_RATE_LIMIT_PER_MINUTE: String(LIMIT), SPINE_TRUST_PROXY_HOPS: '1' };

let redis: RedisServer;
let one: Api;
let two: Api;

beforeAll(async () => {
  redis = await startRedisServer();
  one = await startApi({ keys: [ADMIN, OTHER], env: { ...env, SPINE_REDIS_URL: redis.url } });
  two = await startApi({
    keys: [ADMIN, OTHER],
    env: { ...env, SPINE_REDIS_URL: redis.url },
    databaseUrl: one.database.connectionString,
  });
});
afterAll(async () => {
  await two.close();
  await one.close();
  await redis.stop();
});

/** From an address behind the one proxy that is believed. */
const from = (address: string, key?: string) => ({
  'x-forwarded-for': `6.6.6.6, ${address}`,
  ...(key === undefined ? {} : { 'x-api-key': key }),
});

const ask = (api: Api, headers: Record<string, string>, path = '/api/v1/capabilities'): Promise<Answer> =>
  api.call('GET', path, { headers });

/** Ten at a time: more would make one another wait longer than a process waits for Redis before it counts alone. */
async function askMany(count: number, askNth: (n: number) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  while (answers.length < count) {
    const [from, to] = [answers.length, Math.min(answers.length + 10, count)];
    answers.push(...(await Promise.all(Array.from({ length: to - from }, (_, n) => askNth(from + n)))));
  }
  return answers;
}

const left = (answer: Answer): number => Number(answer.headers.get('ratelimit-remaining'));

async function keyOf(name: string): Promise<string> {
  const json = { name, scopes: ['read'] };
  const { body } = await one.call('POST', '/api/v1/keys', { json, headers: from('10.1.1.1', OTHER) });
  return String(body['data']?.['key']);
}

describe('a caller', () => {
  it('is told where it stands, and is stopped at the limit, whichever process it asks', async () => {
    const key = await keyOf('counted');
    const first = await ask(one, from('10.0.0.1', key));
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-limit')).toBe(String(LIMIT));
    expect(left(first)).toBe(LIMIT - 1);
    expect(Number(first.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
    // Another process, another address, another endpoint, one without that endpoint: one count.
    expect(left(await ask(two, from('10.0.0.2', key)))).toBe(LIMIT - 2);
    expect(left(await ask(two, from('10.0.0.2', key), '/nothing'))).toBe(LIMIT - 3);
    const rest = await askMany(LIMIT, (n) => ask(n % 2 === 0 ? one : two, from('10.0.0.1', key)));
    expect(rest.filter(({ status }) => status === 200)).toHaveLength(LIMIT - 3);
    const stopped = rest.find(({ status }) => status === 429);
    expect(stopped?.body).toMatchObject({ code: 'RATE_LIMITED', status: 429 });
    expect(stopped?.headers.get('ratelimit-remaining')).toBe('0');
    expect(Number(stopped?.headers.get('retry-after'))).toBeGreaterThan(0);
    // Others go on.
    expect((await ask(one, from('10.0.0.1', ADMIN))).status).toBe(200);
    expect((await ask(one, {}, '/health/live')).status).toBe(200);
  });

  it('without a key is counted by its address', async () => {
    const answers = await askMany(LIMIT + 2, () => ask(one, from('10.0.1.1')));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(LIMIT);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
    expect((await ask(one, from('10.0.1.2'))).status).toBe(401);
    // What the client itself wrote before the proxy's entry is not believed.
    const forged = { 'x-forwarded-for': '10.0.1.3, 10.0.1.1' };
    expect((await ask(one, forged)).status).toBe(429);
  });
});

describe('who guesses keys', () => {
  it('is stopped by address, and the keys that were good lately go on', async () => {
    const late = await keyOf('late');
    const known = await keyOf('known');
    expect((await ask(one, from('10.0.2.1', known))).status).toBe(200);
    const wrong = `spk_${'0'.repeat(32)}.${'A'.repeat(43)}`;
    const guesses = await askMany(70, () => ask(one, from('10.0.2.1', wrong)));
    expect(guesses.filter(({ status }) => status === 401).length).toBe(60);
    expect(guesses.filter(({ status }) => status === 429).length).toBe(10);
    // Not even a right guess tells anything.
    expect((await ask(one, from('10.0.2.1', late))).status).toBe(429);
    expect((await ask(two, from('10.0.2.1', late))).status).toBe(429);
    expect((await ask(one, from('10.0.2.1', known))).status).toBe(200);
    expect((await ask(one, from('10.0.2.2', late))).status).toBe(200);
  });
});

describe('while Redis is away', () => {
  it('each process counts by itself, and nobody is refused for that', async () => {
    const key = await keyOf('alone');
    expect(left(await ask(one, from('10.0.3.1', key)))).toBe(LIMIT - 1);
    await redis.pause();
    try {
      const [a, b] = [await ask(one, from('10.0.3.1', key)), await ask(two, from('10.0.3.1', key))];
      expect([a.status, b.status]).toEqual([200, 200]);
      expect([left(a), left(b)]).toEqual([LIMIT - 1, LIMIT - 1]);
    } finally {
      await redis.resume();
    }
    // Counted together again: each of them goes on where the other one stopped.
    await waitFor(
      async () => {
        const counts = [];
        for (const api of [one, two, one]) counts.push(left(await ask(api, from('10.0.3.1', key))));
        const [a = 0, b = 0, c = 0] = counts;
        return b === a - 1 && c === b - 1;
      },
      { timeoutMs: 20_000 },
    );
  });
});

describe('in local mode, and where it is switched off', () => {
  it('there is no limit and no header', async () => {
    const open = await startApi({ env });
    try {
      const answers = await Promise.all(Array.from({ length: LIMIT + 5 }, () => ask(open, {})));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
      expect(answers[0]?.headers.has('ratelimit-limit')).toBe(false);
    } finally {
      await open.close();
    }
  });
});

describe('headers with line breaks', () => {
  it('do not reach the server as headers, nor its answers', async () => {
    const { hostname, port } = new URL(one.url);
    const send = (value: string) =>
      httpRequest({ hostname, port, path: '/health', headers: { 'x-request-id': value } });
    expect(() => send('a\r\nset-cookie: x=1')).toThrow('Invalid character in header content');
    const answer = await ask(one, { 'x-request-id': 'a%0d%0aset-cookie: x=1' }, '/health/live');
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(answer.headers.get('x-request-id')).not.toContain('%0d');
  });
});
