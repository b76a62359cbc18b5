/** The embedded Postgres of the launcher: started once, started again when it ends by itself. */
import { join } from 'node:path';
import { isRunning, startEmbeddedPostgres, type EmbeddedPostgres } from '@spine/database/embedded';
import { nextBackoff } from './backoff.ts';

const WATCH_MS = 1_000;

export class PostgresKeeper {
  readonly #dataDir: string;
  readonly #say: (text: string) => void;
  #server: EmbeddedPostgres | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restart: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  constructor(dataDir: string, say: (text: string) => void) {
    this.#dataDir = join(dataDir, 'postgres');
    this.#say = say;
  }

  async start(onProgress: (line: string) => void, signal: AbortSignal): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({
      dataDir: this.#dataDir,
      onProgress,
      signal: AbortSignal.any([signal, this.#stopped.signal]),
    });
    this.#server = server;
    this.#timer = setInterval(() => {
      if (this.#restart !== undefined || this.#server === undefined || isRunning(this.#server.pid)) return;
      this.#restart = this.#startAgain(server.port).finally(() => {
        this.#restart = undefined;
      });
    }, WATCH_MS);
    return server;
  }

  /** Resolves when no server of ours is left. */
  async stop(timeoutSeconds: number): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#restart;
    await this.#server?.stop({ timeoutSeconds });
  }

  /** On the same port: the services' connection strings name it. */
  async #startAgain(port: number): Promise<void> {
    let wait: number | undefined;
    while (!this.#stopped.signal.aborted) {
      wait = nextBackoff(wait, 0);
      this.#say(`Postgres ended unexpectedly; starting it again. Log: ${this.#server?.logFile ?? ''}`);
      try {
        const server = await startEmbeddedPostgres({
          dataDir: this.#dataDir,
          port,
          signal: this.#stopped.signal,
        });
        this.#server = server;
        if (server.port === port) {
          this.#say('Postgres is running again');
          return;
        }
        this.#say(`port ${port} was taken meanwhile; waiting for it`);
        await server.stop();
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        this.#say(`Postgres did not start: ${(error as Error).message}`);
      }
      await this.#pause(wait);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopped.signal.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
