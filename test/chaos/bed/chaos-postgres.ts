/** The durable Postgres of a bed: a real server that can be crashed and comes back with its data. */
import { chmod } from 'node:fs/promises';
import { isRunning, startEmbeddedPostgres } from '@spine/database/embedded';
import type { EmbeddedPostgres } from '@spine/database/embedded';
import { forgetServer, recordServer, waitFor } from '@spine/testing';

/** Few, so that they can be used up quickly; enough for every process of a bed. */
export const MAX_CONNECTIONS = 100;

const CRASH_TIMEOUT_MS = 20_000;

export class ChaosPostgres {
  readonly #directory: string;
  #server: EmbeddedPostgres;

  private constructor(directory: string, server: EmbeddedPostgres) {
    this.#directory = directory;
    this.#server = server;
  }

  /** @param directory an existing folder of one's own. */
  static async start(directory: string): Promise<ChaosPostgres> {
    // As root, Postgres runs as another user, who has to pass through.
    await chmod(directory, 0o755);
    return new ChaosPostgres(directory, await launch(directory));
  }

  get port(): number {
    return this.#server.port;
  }

  /** As the owner of the tables, straight to the server. */
  get url(): string {
    return this.#server.connectionString;
  }

  /** As the superuser, in the same database. */
  get superuserUrl(): string {
    const url = new URL(this.#server.adminConnectionString);
    url.pathname = new URL(this.#server.connectionString).pathname;
    return url.href;
  }

  /**
   * Ends it without a checkpoint, as a power cut does: SIGQUIT is what `pg_ctl stop -m immediate` sends, SIGKILL does
   * not even let it tell its backends. Returns when the server process is gone.
   */
  async crash(signal: 'SIGQUIT' | 'SIGKILL'): Promise<void> {
    const { pid } = this.#server;
    process.kill(pid, signal);
    await waitFor(() => !isRunning(pid), {
      timeoutMs: CRASH_TIMEOUT_MS,
      message: 'the crashed Postgres to be gone',
    });
    forgetServer(pid);
  }

  /** Starts it again after a crash, with crash recovery; the port may be another one. */
  async recover(): Promise<void> {
    this.#server = await launch(this.#directory);
  }

  async stop(): Promise<void> {
    const { pid } = this.#server;
    await this.#server.stop();
    forgetServer(pid);
  }
}

async function launch(directory: string): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDir: `${directory}/postgres`,
    settings: { max_connections: String(MAX_CONNECTIONS), shared_buffers: '64MB' },
  });
  recordServer(server.pid, 'SIGQUIT');
  return server;
}
