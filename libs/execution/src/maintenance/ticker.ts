import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@spine/observability';

export interface TickerOptions {
  readonly name: string;
  readonly everyMs: number;
  /** Does one round; true asks for the next one at once, because there is more to do. */
  readonly tick: (signal: AbortSignal) => Promise<boolean>;
  readonly logger: Logger;
}

/** The start/stop contract of every maintenance service: rounds one after another, a failed one is logged and tried again. */
export class Ticker {
  readonly #options: TickerOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | null = null;

  constructor(options: TickerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when the round under way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { name, everyMs, tick, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let more = false;
      try {
        more = await tick(signal);
      } catch (error) {
        logger.warn({ err: error, service: name }, 'a maintenance round failed');
      }
      // A tenth of jitter keeps several schedulers from asking in step.
      if (!more)
        await sleep(everyMs * (0.95 + Math.random() * 0.1), undefined, { signal }).catch(() => undefined);
    }
  }
}
