/**
 * A circuit breaker around the calls to one dependency.
 *
 * 1. Whether calls fail is counted in this process, by opossum; that they do is told to all workers. 2. While any worker's
 * verdict stands, nobody calls, but one that tries: the database gives that out. 3. Without the database a process goes
 * by what it saw itself.
 */
import CircuitBreaker from 'opossum';
import { toErrorInfo } from '@spine/core';
import { RunDeferredError, SHORTEST_DEFERRAL_MS } from '../worker/defer.ts';
import type { SharedBreakers } from './breaker-shared.ts';

export interface BreakerOptions {
  /** Calls within the window before it opens at all. Default 5. */
  readonly volume?: number;
  /** It opens when more of them failed than this. Default 50. */
  readonly errorPercentage?: number;
  /** Default 10,000. */
  readonly windowMs?: number;
  /** So long it stays open before one call may try. Default 30,000. */
  readonly resetMs?: number;
  /**
   * Whether an error says that the dependency fails. Default: errors that a retry may help against; an answer such as
   * "not found" comes from one that works.
   */
  readonly isFailure?: (error: unknown) => boolean;
}

export const BREAKER_DEFAULTS = {
  volume: 5,
  errorPercentage: 50,
  windowMs: 10_000,
  resetMs: 30_000,
} as const;

/** Thrown in place of a call; a handler that lets it pass is deferred until the breaker may be tried. */
export class BreakerOpenError extends RunDeferredError {
  readonly breaker: string;

  /** @param retryInMs null until further notice. */
  constructor(breaker: string, retryInMs: number | null) {
    super(
      Math.max(SHORTEST_DEFERRAL_MS, retryInMs ?? UNKNOWN_RETRY_MS),
      `the circuit breaker of ${breaker} is open`,
    );
    this.breaker = breaker;
  }
}

/** How long a run is put off where nobody knows when the breaker closes. */
const UNKNOWN_RETRY_MS = 60_000;

function isTransient(error: unknown): boolean {
  return !(error instanceof RunDeferredError) && toErrorInfo(error).retryable;
}

type Call = () => Promise<unknown>;

export class Breaker {
  readonly name: string;
  readonly resetMs: number;
  readonly #shared: SharedBreakers;
  readonly #isFailure: (error: unknown) => boolean;
  readonly #local: CircuitBreaker<[Call], unknown>;

  constructor(name: string, options: BreakerOptions, shared: SharedBreakers) {
    const { volume, errorPercentage, windowMs, resetMs } = { ...BREAKER_DEFAULTS, ...options };
    this.name = name;
    this.resetMs = resetMs;
    this.#shared = shared;
    this.#isFailure = options.isFailure ?? isTransient;
    this.#local = new CircuitBreaker((call: Call) => call(), {
      name,
      timeout: false,
      volumeThreshold: volume,
      errorThresholdPercentage: errorPercentage,
      rollingCountTimeout: windowMs,
      resetTimeout: resetMs,
      errorFilter: (error: unknown) => !this.#isFailure(error),
    });
    this.#local.on('open', () => {
      void shared.opened(name, resetMs, this.#local.stats.failures);
    });
  }

  /** Whether this process saw the dependency fail. */
  get openHere(): boolean {
    return this.#local.opened;
  }

  /**
   * Calls the dependency, unless its breaker is open.
   *
   * @param owner who tries while the breaker is half open: one try is one owner's.
   * @throws BreakerOpenError in place of the call; else what the call throws.
   */
  async fire<T>(owner: string, call: () => T | Promise<T>): Promise<T> {
    const permit = await this.#shared.permit(this.name, owner);
    switch (permit.type) {
      case 'refused':
        throw new BreakerOpenError(this.name, permit.retryInMs);
      case 'probe':
        return this.#probe(owner, call);
      case 'unguarded':
        return call();
      case 'closed':
        return this.#guarded(call);
    }
  }

  /** Calls pass again: some worker's try succeeded, or an operator said so. */
  closeHere(): void {
    if (!this.#local.closed) this.#local.close();
  }

  /** Stops its timers. */
  shutdown(): void {
    this.#local.shutdown();
  }

  async #probe<T>(owner: string, call: () => T | Promise<T>): Promise<T> {
    let failed = false;
    try {
      return await call();
    } catch (error) {
      failed = this.#isFailure(error);
      throw error;
    } finally {
      await this.#shared.tried(this.name, owner, !failed, this.resetMs);
    }
  }

  async #guarded<T>(call: () => T | Promise<T>): Promise<T> {
    try {
      return (await this.#local.fire(async () => call())) as T;
    } catch (error) {
      if (CircuitBreaker.isOurError(error instanceof Error ? error : new Error(String(error)))) {
        throw new BreakerOpenError(this.name, this.resetMs);
      }
      throw error;
    }
  }
}
