/**
 * A connection that listens.
 *
 * 1. It reconnects for ever, with pauses of 100 ms doubling to 5 s. 2. After every (re)connect `onConnect` is called:
 * what was notified in between is lost, and the caller looks for itself. 3. A connection that died without a word is
 * found by TCP keep-alive only; whoever listens must have a slower way to find out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface ListenerOptions {
  readonly connectionString: string;
  /** Fixed names of this code base, never a user's text. */
  readonly channels: readonly string[];
  readonly onNotification: (channel: string, payload: string | undefined) => void;
  readonly onConnect?: () => void;
  readonly onError?: (error: unknown) => void;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export class NotificationListener {
  readonly #options: ListenerOptions;
  readonly #stopping = new AbortController();
  #client: pg.Client | null = null;
  #loop: Promise<void> | null = null;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Connects in the background. */
  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#client?.end().catch(() => undefined);
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        await this.#listen(() => {
          pause = FIRST_PAUSE_MS;
        });
      } catch (error) {
        if (!signal.aborted) this.#options.onError?.(error);
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Listens until the connection ends. */
  async #listen(connected: () => void): Promise<void> {
    const { connectionString, channels, applicationName, onNotification, onConnect } = this.#options;
    const client = new pg.Client({
      connectionString,
      application_name: applicationName,
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
    });
    this.#client = client;
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
    client.on('error', (error) => {
      this.#options.onError?.(error);
      void client.end().catch(() => undefined);
    });
    client.on('notification', ({ channel, payload }) => onNotification(channel, payload));
    try {
      await client.connect();
      for (const channel of channels) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      connected();
      onConnect?.();
      await ended;
    } finally {
      await client.end().catch(() => undefined);
      this.#client = null;
    }
  }
}
