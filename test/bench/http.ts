/** HTTP submits against the real api process, on the same Postgres and Redis; every 202 must have its row. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import type { BenchEnvironment } from './model.ts';

export interface HttpSubmit {
  /** Accepted runs per second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const API = fileURLToPath(new URL('../../services/api/dist/main.js', import.meta.url));
const BODY = JSON.stringify({ kind: 'task', name: 'echo', params: { message: 'hello' } });

interface ReadyMessage {
  readonly type: 'ready';
  readonly url: string;
}

function isReady(message: unknown): message is ReadyMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

export async function measureHttpSubmit(
  environment: BenchEnvironment,
  countRuns: () => Promise<number>,
  options: { readonly connections: number; readonly seconds: number },
): Promise<HttpSubmit> {
  await environment.resetTables();
  const api = fork(API, {
    env: {
      ...process.env,
      SPINE_HOST: '127.0.0.1',
      SPINE_PORT: '0',
      SPINE_DATABASE_URL: environment.databaseUrl,
      SPINE_REDIS_URL: environment.redisUrl,
      SPINE_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const messages: readonly unknown[] = await once(api, 'message', { signal: AbortSignal.timeout(30_000) });
    const message = messages[0];
    if (!isReady(message)) throw new Error(`the api said ${JSON.stringify(message)} instead of being ready`);
    const request = {
      url: `${message.url}/api/v1/runs`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: BODY,
      connections: options.connections,
    } as const;
    await autocannon({ ...request, duration: 2 });
    await environment.resetTables();
    const result = await autocannon({ ...request, duration: options.seconds });
    const accepted = result['2xx'];
    const stored = await countRuns();
    // A request under way when the load stops may be stored without its answer being counted, one a connection.
    if (result.non2xx > 0 || stored < accepted || stored > accepted + options.connections) {
      throw new Error(`void: ${accepted} accepted, ${result.non2xx} refused, ${stored} rows`);
    }
    return { rate: accepted / result.duration, p50: result.latency.p50, p99: result.latency.p99 };
  } finally {
    api.kill('SIGTERM');
    if (api.exitCode === null) await once(api, 'exit');
  }
}
