/** The built services as child processes, as they run in production. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Service {
  readonly pid: number;
  /** What it said when it was ready, e.g. `{ type: 'ready', url }` of the API. */
  readonly ready: unknown;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 30_000;

/** @throws Error when it does not become ready. */
export async function startService(
  name: 'api' | 'worker',
  settings: Readonly<Record<string, string>>,
): Promise<Service> {
  const main = fileURLToPath(new URL(`../../../services/${name}/dist/main.js`, import.meta.url));
  const child = fork(main, {
    env: { ...process.env, SPINE_LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: [],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  const message = once(child, 'message', { signal: AbortSignal.timeout(READY_WITHIN_MS) });
  const first = await Promise.race([
    message.then(([ready]: readonly unknown[]) => ({ ready })),
    exited.then(() => null),
  ]).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (first === null || child.pid === undefined) throw new Error(`the ${name} ended before it was ready`);
  return { pid: child.pid, ready: first.ready, stop };
}

export interface Api extends Service {
  readonly url: string;
}

/** The API on a free port of 127.0.0.1. */
export async function startApi(databaseUrl: string, redisUrl: string): Promise<Api> {
  const service = await startService('api', {
    SPINE_HOST: '127.0.0.1',
    SPINE_PORT: '0',
    SPINE_DATABASE_URL: databaseUrl,
    SPINE_REDIS_URL: redisUrl,
  });
  const { ready } = service;
  if (typeof ready !== 'object' || ready === null || !('url' in ready) || typeof ready.url !== 'string') {
    await service.stop();
    throw new TypeError(`the api said ${JSON.stringify(ready)} instead of its url`);
  }
  return { ...service, url: ready.url };
}
