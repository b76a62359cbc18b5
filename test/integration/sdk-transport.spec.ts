/** What a client does when answers are late, lost, cut off or of somebody else. */
import { afterEach, describe, expect, it } from 'vitest';
import { SpineAnswerError, SpineConnectionError, SpineProblem, SpineTimeoutError } from '@spine/sdk';
import { cut, json, problem, quickClient, scriptedServer } from './sdk-support.ts';
import type { ScriptedServer } from './sdk-support.ts';

const RUN = { data: { run_id: 'r1' }, warnings: [] };

const servers: ScriptedServer[] = [];
const script: typeof scriptedServer = async (answer) => {
  const server = await scriptedServer(answer);
  servers.push(server);
  return server;
};

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

describe('a call that may be repeated', () => {
  it('is, until it is answered', async () => {
    const server = await script((response, n) => {
      if (n === 0) cut(response);
      else if (n === 1) problem(response, 503, 'UNAVAILABLE', { 'retry-after': '0' });
      else json(response, RUN);
    });
    expect(await quickClient(server.url).runs.get('r1')).toEqual({ run_id: 'r1' });
    expect(server.asked).toHaveLength(3);
  });

  it('is a submit, under one key', async () => {
    const server = await script((response, n) => {
      if (n === 0) cut(response);
      else if (n === 1) problem(response, 429, 'RATE_LIMITED', { 'retry-after': '0' });
      else json(response, RUN, 202);
    });
    const submitted = await quickClient(server.url).runs.submit({ kind: 'task', name: 'echo' });
    expect(submitted).toMatchObject({ run_id: 'r1', existing: false });
    const keys = server.asked.map(
      ({ body }) => (JSON.parse(body) as Record<string, unknown>)['idempotency_key'],
    );
    expect(keys).toEqual([submitted.idempotency_key, submitted.idempotency_key, submitted.idempotency_key]);
  });

  it('fails with the last answer when that is no better', async () => {
    const server = await script((response) => problem(response, 503, 'UNAVAILABLE'));
    const failing = quickClient(server.url, { retries: 2 }).runs.get('r1');
    await expect(failing).rejects.toMatchObject({ name: 'SpineProblem', code: 'UNAVAILABLE' });
    expect(server.asked).toHaveLength(3);
  });

  it('is not when the answer asks for a longer wait than there is time for', async () => {
    const server = await script((response) =>
      problem(response, 429, 'QUOTA_EXCEEDED', { 'retry-after': '61' }),
    );
    await expect(quickClient(server.url).runs.get('r1')).rejects.toMatchObject({ retryAfterMs: 61_000 });
    expect(server.asked).toHaveLength(1);
  });

  it('ends with the signal, also while it waits for its next attempt', async () => {
    const stop = new AbortController();
    const server = await script((response) => {
      problem(response, 503, 'UNAVAILABLE', { 'retry-after': '59' });
      response.on('close', () => stop.abort(new Error('enough')));
    });
    await expect(quickClient(server.url).runs.get('r1', { signal: stop.signal })).rejects.toThrow('enough');
    expect(server.asked).toHaveLength(1);
    await expect(quickClient(server.url).runs.get('r1', { signal: stop.signal })).rejects.toThrow('enough');
    expect(server.asked).toHaveLength(1);
  });
});

it('a call that may not be repeated is made once', async () => {
  const server = await script((response, n) =>
    n === 0 ? cut(response) : problem(response, 503, 'UNAVAILABLE'),
  );
  const client = quickClient(server.url);
  await expect(client.runs.retry('r1')).rejects.toBeInstanceOf(SpineConnectionError);
  await expect(client.runs.cancel('r1')).rejects.toBeInstanceOf(SpineProblem);
  await expect(client.api.submitRun({ body: { kind: 'task', name: 'a' } })).rejects.toBeInstanceOf(
    SpineProblem,
  );
  await expect(client.health.ready()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(server.asked).toHaveLength(4);
});

describe('without an answer', () => {
  it('a call fails when its time is up, before the answer and within it', async () => {
    const server = await script((response, n) => {
      if (n > 0) response.writeHead(200, { 'content-type': 'application/json' }).write('{"data":');
    });
    const client = quickClient(server.url, { timeoutMs: 50, retries: 0 });
    await expect(client.runs.get('r1')).rejects.toBeInstanceOf(SpineTimeoutError);
    await expect(client.runs.get('r1')).rejects.toThrow(`${server.url} did not answer within 50 ms`);
  });

  it('a call says who did not answer, and why', async () => {
    const server = await script((response) => cut(response));
    await server.close();
    await expect(quickClient(server.url, { apiKey: 'canary' }).runs.get('r1')).rejects.toThrow(
      new RegExp(`^${server.url} did not answer: .*ECONNREFUSED(?!.*canary)`),
    );
  });
});

describe('an answer of somebody else', () => {
  it('is told as what it is', async () => {
    const server = await script((response, n) => {
      const type = n === 0 ? 'text/html' : 'application/json';
      response.writeHead(200, { 'content-type': type }).end(n === 0 ? '<html>Log in</html>' : '{"data": [1,');
    });
    const client = quickClient(server.url);
    await expect(client.runs.get('r1')).rejects.toThrow('with text/html, not with the JSON of a Spine API');
    await expect(client.runs.get('r1')).rejects.toBeInstanceOf(SpineAnswerError);
    expect(server.asked).toHaveLength(2);
  });

  it('is not looked for where a redirect leads', async () => {
    const other = await script((response) => json(response, RUN));
    const server = await script((response) => void response.writeHead(301, { location: other.url }).end());
    const submitting = quickClient(server.url, { apiKey: 'k' }).runs.submit({ kind: 'task', name: 'a' });
    await expect(submitting).rejects.toThrow(`redirect to ${other.url}`);
    expect(other.asked).toEqual([]);
  });
});
