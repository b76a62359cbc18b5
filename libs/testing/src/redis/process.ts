/**
 * A Redis server as a child process.
 *
 * 1. It counts as started when the server that answers on the port is the process we started: another program may have
 *    taken the port between our look and the start.
 * 2. It is recorded before it is used, and forgotten only when its process is gone.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { anyFreePort } from '@spine/database/embedded';
import { TestInfrastructureError } from '../errors.ts';
import { forgetServer, recordServer, runDirectory } from '../servers/run-directory.ts';
import { waitFor } from '../wait-for.ts';
import type { RedisProgram } from './find-redis.mjs';
import type { RedisServer } from './server.ts';

const START_TIMEOUT_MS = 20_000;
const PORT_ATTEMPTS = 5;
const OUTPUT_TAIL = 2_000;
/** Enough for every test file of a run at once; a database costs nothing until it is used. */
const DATABASES = '64';

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
}

/** @throws TestInfrastructureError when the server does not start. */
export async function startRedisProcess(
  program: RedisProgram,
  args: readonly string[],
): Promise<RedisServer> {
  const directory = await mkdtemp(join(runDirectory(), 'redis-'));
  const launch = (port: number): Promise<Running | 'port_taken'> => launchOn(program, args, directory, port);
  const { port, running } = await launchOnFreePort(launch);
  return new RedisProcess(port, directory, launch, running);
}

class RedisProcess implements RedisServer {
  readonly url: string;
  readonly port: number;
  readonly #directory: string;
  readonly #launch: (port: number) => Promise<Running | 'port_taken'>;
  #running: Running | undefined;

  constructor(
    port: number,
    directory: string,
    launch: (port: number) => Promise<Running | 'port_taken'>,
    running: Running,
  ) {
    this.url = `redis://127.0.0.1:${port}`;
    this.port = port;
    this.#directory = directory;
    this.#launch = launch;
    this.#running = running;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    await end(running);
    this.#running = undefined;
  }

  async restart(): Promise<void> {
    await this.kill();
    const running = await this.#launch(this.port);
    if (running === 'port_taken') {
      throw new TestInfrastructureError(`another process took port ${this.port} while the Redis was down`);
    }
    this.#running = running;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  pause(): Promise<void> {
    return this.#signal('SIGSTOP');
  }

  resume(): Promise<void> {
    return this.#signal('SIGCONT');
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (this.#running === undefined) {
      return Promise.reject(new TestInfrastructureError(`the Redis on port ${this.port} does not run`));
    }
    process.kill(this.#running.pid, signal);
    return Promise.resolve();
  }
}

async function launchOnFreePort(
  launch: (port: number) => Promise<Running | 'port_taken'>,
): Promise<{ port: number; running: Running }> {
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt++) {
    const port = await anyFreePort();
    const running = await launch(port);
    if (running !== 'port_taken') return { port, running };
  }
  throw new TestInfrastructureError(`no free TCP port was found for Redis in ${PORT_ATTEMPTS} attempts`);
}

async function launchOn(
  program: RedisProgram,
  args: readonly string[],
  directory: string,
  port: number,
): Promise<Running | 'port_taken'> {
  const settings = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    directory,
    '--databases',
    DATABASES,
  ];
  const noPersistence = ['--save', '', '--appendonly', 'no'];
  // What Spine demands of a Redis: jobs must not be evicted.
  const policy = ['--maxmemory-policy', 'noeviction'];
  const child = spawn(program.command, [...settings, ...noPersistence, ...policy, ...args], {
    argv0: program.argv0,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keepTail = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_TAIL);
  };
  child.stdout.on('data', keepTail);
  child.stderr.on('data', keepTail);

  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasEnded = true;
      resolve();
    });
  });
  // Without a listener a failed start would be an uncaught exception; 'close' follows it.
  child.once('error', (error) => (output += error.message));

  const { pid } = child;
  if (pid === undefined) {
    await ended;
    throw new TestInfrastructureError(`${program.command} could not be started: ${output}`);
  }
  recordServer(pid, 'SIGKILL');
  const running: Running = { child, pid, ended };
  try {
    await waitFor(async () => hasEnded || (await processIdOn(port)) === pid, {
      timeoutMs: START_TIMEOUT_MS,
      message: () => `the Redis server on port ${port}; its output: ${output}`,
    });
  } catch (error) {
    await end(running);
    throw error;
  }
  if (!hasEnded) {
    letParentEnd(child);
    return running;
  }
  forgetServer(pid);
  if (/Address already in use/.test(output)) return 'port_taken';
  throw new TestInfrastructureError(`${program.command} ended at its start: ${output}`);
}

/** The process id that the Redis on this port reports; undefined when none answers. */
async function processIdOn(port: number): Promise<number | undefined> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
  });
  // A refused connection is the expected answer of a server that is not up yet; connect() reports it too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const id = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
    return Number.isInteger(id) ? id : undefined;
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

/** A server that nobody stops must not keep the process that started it alive; its end takes the server along. */
function letParentEnd(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdout, child.stderr]) if (stream instanceof Socket) stream.unref();
}

async function end({ child, pid, ended }: Running): Promise<void> {
  child.ref();
  child.kill('SIGKILL');
  await ended;
  forgetServer(pid);
}
