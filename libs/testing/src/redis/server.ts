import { containerEngineAnswers, findRedisProgram } from './find-redis.mjs';
import { TestInfrastructureError } from '../errors.ts';
import { startRedisContainer } from './container.ts';
import { startRedisProcess } from './process.ts';

/** A Redis of one's own: empty at its start, on 127.0.0.1, without persistence. */
export interface RedisServer {
  /** `redis://127.0.0.1:<port>`; stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** Process id of the server now; undefined when it is down, and for a server in a container. */
  readonly pid: number | undefined;
  /** Ends it for good and removes its files. May be called again, and in any state. */
  stop(): Promise<void>;
  /** kill -9; returns when the process is gone. Its data is lost. */
  kill(): Promise<void>;
  /** Freezes it (SIGSTOP): connections stay open and nothing is answered. */
  pause(): Promise<void>;
  /** Goes on after `pause`. */
  resume(): Promise<void>;
  /** Kills it if it runs, then starts it on the same port, empty. */
  restart(): Promise<void>;
}

export interface RedisServerOptions {
  /** Further server arguments, e.g. `['--maxmemory', '2mb']`. They win over ours. */
  readonly args?: readonly string[];
}

/**
 * Starts a private Redis: for tests that flush, kill, freeze or misconfigure it. Uses a server program on PATH, else a
 * container engine. Call `stop()` in the end; a server that is forgotten ends with the process that started it.
 *
 * @throws TestInfrastructureError when there is neither, or the server does not start.
 */
export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const args = options.args ?? [];
  const program = findRedisProgram(process.env['PATH'] ?? '');
  if (program !== undefined) return startRedisProcess(program, args);
  if (containerEngineAnswers()) return startRedisContainer(args);
  throw new TestInfrastructureError(
    'No Redis to start: no redis-server or valkey-server on PATH, and no container engine answers. ' +
      'Run `node scripts/ensure-redis.mjs` to install one, or to see what is missing. ' +
      'SPINE_TEST_REDIS_URL replaces the shared Redis only, not the private ones that tests kill.',
  );
}
