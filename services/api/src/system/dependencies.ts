/**
 * Whether what the API stands on answers.
 *
 * A dependency that hangs is asked once, not once for every look: the questions would pile up in the connection pool.
 */
import type { Engine } from '@spine/execution';
import type { Logger } from '@spine/observability';

export interface DependencyStatus {
  readonly status: 'up' | 'down';
  readonly latency_ms: number;
}

export type Dependencies = Readonly<Record<'database' | 'queue', DependencyStatus>>;

const LIMIT_MS = 1_000;

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export class DependencyCheck {
  readonly #name: string;
  readonly #ask: () => Promise<unknown>;
  readonly #logger: Logger;
  #asked: Promise<unknown> | null = null;

  constructor(name: string, ask: () => Promise<unknown>, logger: Logger) {
    this.#name = name;
    this.#ask = ask;
    this.#logger = logger;
  }

  /** Never rejects; takes a second at the most. */
  async status(): Promise<DependencyStatus> {
    const started = performance.now();
    const latency = (): number => Math.round((performance.now() - started) * 1000) / 1000;
    this.#asked ??= this.#ask().finally(() => {
      this.#asked = null;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(`no answer within ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      await Promise.race([this.#asked, late]);
      return { status: 'up', latency_ms: latency() };
    } catch (error) {
      // Anybody may ask for the health; why it is bad is for the operator.
      this.#logger.warn({ err: error, dependency: this.#name }, 'a dependency is down');
      return { status: 'down', latency_ms: latency() };
    } finally {
      clearTimeout(timer);
    }
  }
}

export class DependencyChecks {
  readonly #database: DependencyCheck;
  readonly #queue: DependencyCheck;

  constructor(engine: Engine) {
    this.#database = new DependencyCheck('database', () => engine.pool.query('SELECT 1'), engine.logger);
    this.#queue = new DependencyCheck('queue', () => engine.queue.check(), engine.logger);
  }

  async all(): Promise<Dependencies> {
    const [database, queue] = await Promise.all([this.#database.status(), this.#queue.status()]);
    return { database, queue };
  }
}
