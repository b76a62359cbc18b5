import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createSpineClient } from './client.ts';
import { SpineConfigError } from './errors.ts';
import { SeenIds } from './events/messages.ts';
import { keyed } from './runs/idempotency.ts';

/** Answers everything with a run, and keeps what was asked. */
function recorded(options: { apiKey?: string | (() => Promise<string>); baseUrl?: string } = {}) {
  const asked: { url: string; init: RequestInit }[] = [];
  const client = createSpineClient({
    baseUrl: 'http://spine.test',
    ...options,
    fetch: (input, init = {}) => {
      asked.push({ url: String(input), init });
      return Promise.resolve(Response.json({ data: { run_id: 'r' }, warnings: [] }));
    },
  });
  return { client, asked };
}

describe('a client', () => {
  it.each([
    ['', 'http or https'],
    ['localhost:3000', 'http or https'],
    ['file:///etc', 'http or https'],
    ['http://user:secret@host', 'apiKey'],
    ['http://host/?a=1', 'no query'],
  ])('is not made for %j', (baseUrl, message) => {
    expect(() => createSpineClient({ baseUrl })).toThrow(message);
    expect(() => createSpineClient({ baseUrl })).not.toThrow('secret');
  });

  it('is not made with limits that are none', () => {
    const baseUrl = 'http://host';
    for (const retries of [-1, 0.5, Number.NaN]) {
      expect(() => createSpineClient({ baseUrl, retries })).toThrow(SpineConfigError);
    }
    expect(() => createSpineClient({ baseUrl, timeoutMs: 0 })).toThrow('timeoutMs');
  });

  it('refuses limits of one call that are none', async () => {
    const { client, asked } = recorded();
    await expect(client.runs.get('a', { retries: Number.NaN })).rejects.toThrow('retries');
    await expect(client.runs.get('a', { timeoutMs: -1 })).rejects.toThrow('timeoutMs');
    expect(asked).toEqual([]);
  });

  it('keeps a path before the API and encodes what callers name', async () => {
    const { client, asked } = recorded({ baseUrl: 'http://host/spine/' });
    await client.runs.get('../x?y');
    await client.ledger.assets.get('finra/raw');
    expect(asked.map(({ url }) => url)).toEqual([
      'http://host/spine/api/v1/runs/..%2Fx%3Fy',
      'http://host/spine/api/v1/assets/finra%2Fraw',
    ]);
  });

  it.each(['', '.', '..'])('asks nothing with the id %j, which the address would lose', async (id) => {
    const { client, asked } = recorded();
    await expect(client.dlq.replay(id)).rejects.toThrow(SpineConfigError);
    await expect(client.runs.get(id)).rejects.toThrow('names nothing');
    expect(asked).toEqual([]);
  });

  it('sends its key, asked for each time, and shows it nowhere', async () => {
    const keys = ['first-key', 'second-key'];
    const { client, asked } = recorded({ apiKey: () => Promise.resolve(keys.shift() ?? '') });
    await client.runs.get('a');
    await client.runs.get('a');
    const sent = asked.map(({ init }) => new Headers(init.headers).get('authorization'));
    expect(sent).toEqual(['Bearer first-key', 'Bearer second-key']);
    expect(inspect(recorded({ apiKey: 'canary-key' }).client, { depth: 9, showHidden: true })).not.toContain(
      'canary-key',
    );
  });

  it('names no key that cannot be sent', async () => {
    const { client, asked } = recorded({ apiKey: 'canary\r\nx: y' });
    const error: unknown = await client.runs.get('a').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SpineConfigError);
    expect(String(error)).not.toContain('canary');
    expect(asked).toEqual([]);
  });
});

it('a spec keeps its key or gets one of its own', () => {
  const spec = { kind: 'task', name: 'a' } as const;
  expect(keyed({ ...spec, idempotency_key: 'mine' }).idempotency_key).toBe('mine');
  const [one, other] = [keyed(spec), keyed(spec)];
  expect(one.idempotency_key).toMatch(/^sdk-[0-9a-f]{32}$/);
  expect(one.idempotency_key).not.toBe(other.idempotency_key);
});

it('ids that were seen are forgotten oldest first', () => {
  const seen = new SeenIds(2);
  expect(['1', '2', '1', '3', '2', '1'].map((id) => seen.add(id))).toEqual([
    true,
    true,
    false,
    true,
    false,
    true,
  ]);
});
