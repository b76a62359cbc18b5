/**
 * How long to wait before trying again. Pure: a strategy is told the attempt that failed and a random number, and knows
 * no clock.
 */
import { ValidationError } from '@spine/core';

export interface RetryStrategy {
  /** Tries after the first one. */
  readonly maxRetries: number;
  /**
   * Milliseconds to wait after attempt `attempt` (1 for the first) failed; null when it was the last.
   * @param random in [0, 1)
   */
  delayMs(attempt: number, random: number): number | null;
}

export interface BackoffOptions {
  /** Default 3. */
  readonly maxRetries?: number;
  /** The wait after the first failure, in milliseconds. Default 1,000. */
  readonly baseDelayMs?: number;
  /** No wait is longer. Default 60,000. */
  readonly maxDelayMs?: number;
  /** Spreads waits over half to all of their length, so that what failed together does not return together. Default true. */
  readonly jitter?: boolean;
}

abstract class Backoff implements RetryStrategy {
  readonly maxRetries: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;

  /** @throws ValidationError for a negative or non-finite option. */
  constructor(options: BackoffOptions) {
    this.maxRetries = checked('maxRetries', options.maxRetries ?? 3);
    this.baseDelayMs = checked('baseDelayMs', options.baseDelayMs ?? 1_000);
    this.maxDelayMs = checked('maxDelayMs', options.maxDelayMs ?? 60_000);
    this.jitter = options.jitter ?? true;
  }

  delayMs(attempt: number, random: number): number | null {
    if (attempt > this.maxRetries) return null;
    const full = Math.min(this.rawDelayMs(attempt), this.maxDelayMs);
    return Math.round(this.jitter ? full * (0.5 + random / 2) : full);
  }

  /** The wait before cap and jitter. */
  protected abstract rawDelayMs(attempt: number): number;
}

/** base, base * factor, base * factor^2, ... */
export class ExponentialBackoff extends Backoff {
  readonly factor: number;

  /** @param options `factor` defaults to 2. */
  constructor(options: BackoffOptions & { readonly factor?: number } = {}) {
    super(options);
    this.factor = checked('factor', options.factor ?? 2);
  }

  protected rawDelayMs(attempt: number): number {
    return this.baseDelayMs * this.factor ** (attempt - 1);
  }
}

/** base, 2 base, 3 base, ... */
export class LinearBackoff extends Backoff {
  constructor(options: BackoffOptions = {}) {
    super(options);
  }

  protected rawDelayMs(attempt: number): number {
    return this.baseDelayMs * attempt;
  }
}

/** Always base. */
export class ConstantBackoff extends Backoff {
  constructor(options: BackoffOptions = {}) {
    super(options);
  }

  protected rawDelayMs(): number {
    return this.baseDelayMs;
  }
}

/** Never again. */
export class NoRetry implements RetryStrategy {
  readonly maxRetries = 0;

  delayMs(): null {
    return null;
  }
}

function checked(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new ValidationError(`${name} is ${value}; it must be a number of at least 0`, {
    issues: [{ field: name, code: 'out_of_range', message: 'must be a number of at least 0' }],
  });
}
