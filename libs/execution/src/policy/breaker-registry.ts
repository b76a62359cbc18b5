/** The circuit breakers of a process, one a dependency. */
import { ConfigError } from '@spine/core';
import type { BreakerState, Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { checkBreakerName } from '../gates/handler-gates.ts';
import { Breaker, BREAKER_DEFAULTS } from './breaker.ts';
import type { BreakerOptions } from './breaker.ts';
import { SharedBreakers } from './breaker-shared.ts';

export interface BreakerRegistryOptions {
  /** Null: each process goes by what it sees itself. */
  readonly db: Queryable | null;
  readonly logger: Logger;
  readonly metrics: Metrics | null;
  /** Who opens a breaker, as operators read it. */
  readonly by: string;
}

/** Every name is a metric series and a set of timers: names are of dependencies, never made from data. */
const MAX_NAMES = 200;

const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

export class BreakerRegistry {
  readonly #options: BreakerRegistryOptions;
  readonly #configured = new Map<string, BreakerOptions>();
  readonly #breakers = new Map<string, Breaker>();
  readonly #shared: SharedBreakers;

  constructor(options: BreakerRegistryOptions) {
    this.#options = options;
    this.#shared = new SharedBreakers({ ...options, onChange: (name, state) => this.#changed(name, state) });
  }

  /**
   * Says how a dependency's breaker behaves; before its first use.
   * @throws ConfigError for a name out of form or in use.
   */
  configure(name: string, options: BreakerOptions): this {
    checkBreakerName(name);
    if (this.#breakers.has(name)) throw new ConfigError(`breaker ${name} is in use; configure it before`);
    this.#configured.set(name, options);
    return this;
  }

  /**
   * The breaker of a dependency.
   * @throws ConfigError for a name out of form, and for more names than a process may have dependencies.
   */
  get(name: string): Breaker {
    const known = this.#breakers.get(name);
    if (known !== undefined) return known;
    checkBreakerName(name);
    if (this.#breakers.size >= MAX_NAMES) {
      throw new ConfigError(
        `breaker ${name} would be one of more than ${MAX_NAMES}; names are of dependencies`,
      );
    }
    const breaker = new Breaker(name, this.#configured.get(name) ?? {}, this.#shared);
    this.#breakers.set(name, breaker);
    this.#show(name, this.#shared.state(name));
    return breaker;
  }

  /** The state of a dependency's breaker, as all workers know it. */
  state(name: string): BreakerState {
    return this.#shared.state(name);
  }

  /** A run that was let through as the one that tries has ended. */
  ended(name: string, owner: string, succeeded: boolean, openForMs?: number): Promise<void> {
    return this.#shared.tried(
      name,
      owner,
      succeeded,
      openForMs ?? this.#breakers.get(name)?.resetMs ?? BREAKER_DEFAULTS.resetMs,
    );
  }

  /** Hears what other workers found out. */
  refresh(): Promise<void> {
    return this.#shared.refresh();
  }

  /** Stops all timers. */
  close(): void {
    for (const breaker of this.#breakers.values()) breaker.shutdown();
  }

  #changed(name: string, state: BreakerState): void {
    if (state === 'closed') this.#breakers.get(name)?.closeHere();
    if (this.#breakers.has(name)) this.#show(name, state);
    this.#options.logger.info({ breaker: name, state }, 'circuit breaker');
  }

  #show(name: string, state: BreakerState): void {
    this.#options.metrics?.breakerState.set({ name }, STATE_VALUES[state]);
  }
}
