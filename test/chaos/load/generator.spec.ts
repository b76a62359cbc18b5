/** The client against a server that answers as a failing API does. */
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { LoadGenerator } from './generator.ts';
import type { PlannedRun, Submission } from './plan.ts';

interface Received {
  readonly path: string;
  readonly keys: readonly (string | undefined)[];
}

type Reply = (response: ServerResponse, keys: readonly (string | undefined)[]) => void;

let server: Server;
let received: Received[];
/** One for each request, in order; the last one stays. */
let replies: Reply[];
let problems: string[];
let load: LoadGenerator;
let stop: AbortController;

function keysIn(path: string, text: string): (string | undefined)[] {
  const body = JSON.parse(text) as { idempotency_key?: string; runs?: { idempotency_key?: string }[] };
  return path.includes('/batch')
    ? (body.runs ?? []).map((run) => run.idempotency_key)
    : [body.idempotency_key];
}

const answer =
  (status: number, body: unknown): Reply =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const accept: Reply = (response, [key]) => answer(202, { data: { run_id: `run of ${key}` } })(response, []);
const reset: Reply = (response) => void response.socket?.destroy();

function run(key: string, more: Partial<PlannedRun> = {}): PlannedRun {
  const spec = { kind: 'task' as const, name: 'chaos.work', idempotency_key: key };
  return { key, spec, expected: ['completed'], cancelAfterMs: null, ...more };
}

const alone = (...runs: PlannedRun[]): Submission => ({ atMs: 0, runs, twice: false });

beforeEach(async () => {
  received = [];
  problems = [];
  replies = [accept];
  stop = new AbortController();
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      const keys = keysIn(path, text);
      received.push({ path, keys });
      (replies.length > 1 ? replies.shift() : replies[0])?.(response, keys);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  load = new LoadGenerator({
    api: () => `http://127.0.0.1:${port}`,
    problem: (text) => void problems.push(text),
  });
});
afterEach(async () => {
  stop.abort();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('the load', () => {
  it('remembers what was accepted', async () => {
    await load.run([alone(run('a')), alone(run('b'))], stop.signal);
    expect(load.promised).toHaveLength(2);
    expect(load.promised).toContainEqual({ key: 'a', runId: 'run of a' });
    expect(load.unanswered.size).toBe(0);
    expect(load.repeated).toBe(0);
  });

  it('repeats what was not answered clearly, under the same key', async () => {
    replies = [reset, answer(503, {}), answer(429, {}), accept];
    await load.run([alone(run('a'))], stop.signal);
    expect(received.map(({ keys }) => keys)).toEqual([['a'], ['a'], ['a'], ['a']]);
    expect(load.repeated).toBe(3);
    expect(load.promised).toEqual([{ key: 'a', runId: 'run of a' }]);
  });

  it('repeats of a batch only what was not accepted', async () => {
    const item = (key: string) => ({ outcome: 'accepted', run_id: `run of ${key}` });
    const later = { outcome: 'refused', code: 'UNAVAILABLE', detail: 'try again' };
    replies = [answer(207, { data: { items: [item('a'), later, item('c')] } }), accept];
    await load.run([alone(run('a'), run('b'), run('c'))], stop.signal);
    expect(received.map(({ keys }) => keys)).toEqual([['a', 'b', 'c'], ['b']]);
    expect(load.promised.map(({ key }) => key)).toEqual(['a', 'c', 'b']);
  });

  it('sends some twice, and remembers both answers', async () => {
    await load.run([{ ...alone(run('a')), twice: true }], stop.signal);
    expect(load.promised).toHaveLength(2);
  });

  it('says what should not have been refused, and what should', async () => {
    replies = [answer(400, { detail: 'no' }), accept];
    await load.run([alone(run('a'))], stop.signal);
    await load.run([alone(run('b', { expected: 'refused' }))], stop.signal);
    expect(problems).toEqual([
      expect.stringContaining('a was refused with 400'),
      'b was accepted and should be refused',
    ]);
  });

  it('takes a refusal that was expected', async () => {
    replies = [answer(413, {})];
    await load.run([alone(run('a', { expected: 'refused' }))], stop.signal);
    expect(problems).toEqual([]);
    expect(load.promised).toEqual([]);
    expect(load.unanswered.size).toBe(0);
  });

  it('gives up at the signal, and says what has no answer', async () => {
    replies = [answer(503, {})];
    const running = load.run([alone(run('a'))], stop.signal);
    await waitFor(() => load.repeated > 0);
    stop.abort();
    await running;
    expect([...load.unanswered]).toEqual(['a']);
  });

  it('asks for the cancellation of what was accepted', async () => {
    await load.run([alone(run('a', { cancelAfterMs: 1 }))], stop.signal);
    await waitFor(() => received.some(({ path }) => path === '/api/v1/runs/run%20of%20a/cancel'));
  });
});
