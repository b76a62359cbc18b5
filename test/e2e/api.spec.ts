/** The api as its own process: how it starts, says so, and ends. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase, waitFor } from '@spine/testing';

const MAIN = fileURLToPath(new URL('../../services/api/dist/main.js', import.meta.url));

let database: TestDatabase;
const started: ApiProcess[] = [];

beforeAll(async () => {
  if (!existsSync(MAIN))
    throw new Error(`${MAIN} is missing: npm run build makes it, npm test does so first`);
  database = await createTestDatabase();
});
afterEach(() => {
  for (const api of started.splice(0)) api.process.kill('SIGKILL');
});
afterAll(() => database.drop());

class ApiProcess {
  readonly process: ChildProcess;
  /** Code or signal. */
  readonly ended: Promise<number | string | null>;
  output = '';

  constructor(env: Record<string, string> = {}) {
    this.process = fork(MAIN, {
      env: {
        PATH: process.env['PATH'] ?? '',
        SPINE_DATABASE_URL: database.connectionString,
        SPINE_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const collect = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.process.stdout?.on('data', collect);
    this.process.stderr?.on('data', collect);
    this.ended = once(this.process, 'exit').then(
      ([code, signal]: readonly unknown[]) => (signal ?? code) as number | string | null,
    );
    started.push(this);
  }

  async says(text: string): Promise<void> {
    await waitFor(() => this.output.includes(text), { message: () => `"${text}" in:\n${this.output}` });
  }

  /** The address it tells its parent. */
  async ready(): Promise<string> {
    const said = once(this.process, 'message').then(([message]: readonly unknown[]) => message);
    const first = await Promise.race([said, this.ended]);
    expect(first, this.output).toEqual({
      type: 'ready',
      url: expect.stringMatching(/^http:\/\/127/) as string,
    });
    return (first as { url: string }).url;
  }
}

interface Held {
  /** Sends the rest and answers with what came back. */
  finish(): Promise<IncomingMessage>;
  readonly client: ClientRequest;
}

/** A submit whose body has begun and not ended. */
async function holdSubmit(url: string): Promise<Held> {
  const body = JSON.stringify({ kind: 'task', name: 'echo', params: { held: true } });
  const client = request(`${url}/api/v1/runs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      expect: '100-continue',
    },
  });
  client.on('error', () => undefined);
  client.flushHeaders();
  // The server has the request once it asks for the body.
  await once(client, 'continue');
  client.write(body.slice(0, 10));
  return {
    client,
    finish: async () => {
      const answered = once(client, 'response') as Promise<[IncomingMessage]>;
      client.end(body.slice(10));
      const [response] = await answered;
      return response.resume();
    },
  };
}

/** Waits until nothing listens at the address. */
async function refused(url: string): Promise<void> {
  await waitFor(
    async () => {
      try {
        await (await fetch(`${url}/health/live`, { headers: { connection: 'close' } })).text();
        return false;
      } catch {
        return true;
      }
    },
    { message: `${url} refuses connections` },
  );
}

async function countRuns(api: string): Promise<number> {
  const response = await fetch(`${api}/api/v1/runs`);
  const { page } = (await response.json()) as { page: { total: number } };
  return page.total;
}

describe('the api process', () => {
  it('tells its parent where it listens, and its log that it is open', async () => {
    const api = new ApiProcess();
    const url = await api.ready();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    await api.says('no key is asked for');
    const functions = (await (await fetch(`${url}/api/v1/functions`)).json()) as { data: { name: string }[] };
    expect(functions.data.map(({ name }) => name)).toContain('finra.otc_transparency.ingest_week');
  });

  it('finishes the requests under way when it is told to stop, takes no new ones, and exits with 0', async () => {
    const api = new ApiProcess();
    const url = await api.ready();
    const before = await countRuns(url);
    const held = await holdSubmit(url);
    api.process.kill('SIGTERM');
    await refused(url);
    const answer = await held.finish();
    expect(answer.statusCode).toBe(202);
    // Kept alive it would hold up the stop until its time is over.
    expect(answer.headers.connection).toBe('close');
    expect(await api.ended, api.output).toBe(0);

    const next = await new ApiProcess().ready();
    expect(await countRuns(next)).toBe(before + 1);
  });

  it('cuts a request that does not end when the grace is over', async () => {
    const api = new ApiProcess({ SPINE_SHUTDOWN_GRACE_SECONDS: '1' });
    const held = await holdSubmit(await api.ready());
    const cut = new Promise((resolve) => held.client.once('close', resolve));
    api.process.kill('SIGINT');
    await cut;
    expect(await api.ended, api.output).toBe(0);
  });

  it('ends when its parent is gone', async () => {
    const api = new ApiProcess();
    await api.ready();
    api.process.disconnect();
    expect(await api.ended, api.output).toBe(0);
  });

  it('names a busy port and what to do about it, and exits with 1', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const api = new ApiProcess({ SPINE_PORT: String(port) });
    expect(await api.ended).toBe(1);
    await api.says(`SPINE_PORT: port ${port} of 127.0.0.1 is in use by another program`);
    await api.says('SPINE_PORT=0 takes any free one');
    expect(api.output).not.toMatch(/\n\s+at /);
    other.close();
  });

  it('does not start open to a network', async () => {
    const api = new ApiProcess({ SPINE_HOST: '0.0.0.0' });
    expect(await api.ended).toBe(1);
    await api.says('SPINE_API_KEYS');
  });
});
