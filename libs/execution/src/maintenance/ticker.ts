import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@spine/observability';

export interface TickerOptions {
  readonly name: string;
  readonly everyMs: number;
  /** Does one round; true asks for the next one at once, because there is more to do. */
  readonly tick: (signal: AbortSignal) => Promise<boolean>;
  readonly logger: Logger;
}

/** Lets one process at a time do what several are ready to. */
export interface TickLease {
  /** Takes the lease or keeps it; false while another holds it. */
  hold(): Promise<boolean>;
  /** Gives it to whoever asks next. */
  release(): Promise<void>;
}

/** The start/stop contract of every maintenance service: rounds one after another, a failed one is logged and tried again. */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | null = null;
  #lease: TickLease | null = null;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Does its rounds only while it holds `lease`. To be said before it starts. */
  under(lease: TickLease): this {
    this.#lease = lease;
    return this;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#lease?.release().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'a lease was not given back; it ends by itself');
    });
  }

  async #run(): Promise<void> {
    const { name, everyMs, tick, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let more = false;
      try {
        more = (this.#lease === null || (await this.#lease.hold())) && (await tick(signal));
      } catch (error) {
        logger.warn({ err: error, service: name }, 'a maintenance round failed');
      }
      // A tenth of jitter keeps several schedulers from asking in step.
      if (!more)
        await sleep(everyMs * (0.95 + Math.random() * 0.1), undefined, { signal }).catch(() => undefined);
    }
  }
}
