/** The gates of a handler, said once where it is registered and made for every run from its params. */
import { ConfigError } from '@spine/core';
import { isRateSpec } from '@spine/database';
import type { Gate, RateSpec } from '@spine/database';
import { LIMITS } from '../spec/limits.ts';
import type { RateOptions } from './gates-json.ts';
import { KeyTemplate } from './key-template.ts';
import type { KeySubject } from './key-template.ts';

export interface HandlerConcurrency {
  /** Runs of one key at the same time. */
  readonly limit: number;
  /**
   * What is counted together: text with placeholders `{kind}`, `{name}`, `{lane}`, `{params.…}`, such as
   * `tenant:{params.tenant}`. Default: all runs of the handler.
   */
  readonly key?: string;
}

export interface HandlerRate extends RateOptions {
  /** As for concurrency. Default: all runs of the handler. */
  readonly key?: string;
}

/** Of {@link HandlerOptions}: what has to be free before a run of the handler starts; all of it. */
export interface HandlerGateOptions {
  readonly concurrency?: HandlerConcurrency | readonly HandlerConcurrency[];
  readonly rateLimits?: HandlerRate | readonly HandlerRate[];
  /** Dependencies whose circuit breakers must be closed. */
  readonly breakers?: readonly string[];
}

type GateMaker = (subject: KeySubject) => Gate;

export interface HandlerGates {
  /** Whether some key is made from params. */
  readonly readsParams: boolean;
  /** Dependencies named, for what is kept about them in a process. */
  readonly breakers: readonly string[];
  gatesOf(subject: KeySubject): readonly Gate[];
}

function listOf<T extends object>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return isList(value) ? value : [value];
}

function isList<T extends object>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value);
}

/**
 * A rate in numbers.
 * @throws ConfigError for one that could never be kept; `where` says whose it is.
 */
export function rateSpecOf({ limit, perSeconds, algorithm, burst }: RateOptions, where: string): RateSpec {
  const perMs = Math.round(perSeconds * 1_000);
  const spec =
    algorithm === 'sliding_window'
      ? { algorithm, limit, perMs }
      : { algorithm: 'token_bucket', limit, perMs, burst: burst ?? limit };
  if (isRateSpec(spec) && (algorithm !== 'sliding_window' || burst === undefined)) return spec;
  throw new ConfigError(
    `${where}: ${JSON.stringify({ limit, perSeconds, algorithm, burst })} is no rate; limit and burst are whole numbers ` +
      'from 1 to 1,000,000, perSeconds is 0.001 to 31 days, burst is for token_bucket alone',
  );
}

/** @throws ConfigError for a name out of form. */
export function checkBreakerName(name: string): string {
  if (LIMITS.breaker.test(name)) return name;
  throw new ConfigError(`breaker name ${JSON.stringify(name)} must match ${LIMITS.breaker.source}`);
}

/**
 * The gates a handler is registered with; null for none.
 * @throws ConfigError for a limit, rate, key or name that could never work.
 */
export function handlerGates(handler: string, options: HandlerGateOptions): HandlerGates | null {
  const templates: KeyTemplate[] = [];
  const template = (key: string | undefined): KeyTemplate => {
    const made = new KeyTemplate(key ?? `handler:${handler}`);
    templates.push(made);
    return made;
  };
  const breakers = (options.breakers ?? []).map(checkBreakerName);
  const makers: GateMaker[] = [
    ...listOf(options.concurrency).map(({ limit, key }): GateMaker => {
      if (!Number.isInteger(limit) || limit < 1 || limit > LIMITS.concurrency) {
        throw new ConfigError(
          `handler ${handler}: a concurrency limit of ${limit} is not a whole number from 1 to ${LIMITS.concurrency}`,
        );
      }
      const keyOf = template(key);
      return (subject) => ({ type: 'concurrency', key: keyOf.resolve(subject), limit, from: 'handler' });
    }),
    ...listOf(options.rateLimits).map((options): GateMaker => {
      const rate = rateSpecOf(options, `handler ${handler}`);
      const keyOf = template(options.key);
      return (subject) => ({ type: 'rate', key: keyOf.resolve(subject), rate, from: 'handler' });
    }),
    ...breakers.map((key): GateMaker => () => ({ type: 'breaker', key, from: 'handler' })),
  ];
  if (makers.length === 0) return null;
  return {
    readsParams: templates.some(({ readsParams }) => readsParams),
    breakers,
    gatesOf: (subject) => makers.map((make) => make(subject)),
  };
}
