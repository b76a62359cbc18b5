/**
 * How many requests a caller may make in a minute.
 *
 * 1. Counted in Redis where there is one, for all processes together; else, and while Redis does not answer, in this process.
 *    Nobody is refused because Redis is away.
 * 2. Redis that fails is left alone for {@link PAUSE_MS}: requests do not wait for it one by one.
 * 3. Wrong keys are counted apart, by address: {@link WRONG_KEYS_PER_MINUTE}.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Redis } from 'ioredis';
import { InvariantError } from '@spine/core';
import type { Logger } from '@spine/observability';
import { knownPrincipalOf } from './principal.ts';

const WINDOW_MS = 60_000;
const PAUSE_MS = 2_000;
const ANSWER_MS = 250;

/** Keys that are not good, from one address. */
export const WRONG_KEYS_PER_MINUTE = 60;

/** Where a caller stands after a request was counted. */
export interface Standing {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until everything is allowed again. */
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}

interface Answer {
  readonly isAllowed: boolean;
  readonly max?: number;
  readonly remaining?: number;
  readonly ttlInSeconds?: number;
  readonly isExceeded?: boolean;
}

type Counter = (request: FastifyRequest, options?: { increment?: boolean }) => Promise<Answer>;

interface Counters {
  readonly callers: Counter;
  readonly wrongKeys: Counter;
}

export interface RateLimitOptions {
  /** Of one caller; 0 is off. */
  readonly perMinute: number;
  /** Null: counted in this process. */
  readonly redisUrl: string | null;
  readonly logger: Logger;
}

/** By key, or by address where there is none; an IPv6 client has all addresses of its /64. */
function callerOf(request: FastifyRequest): string {
  const principal = knownPrincipalOf(request);
  return principal === null ? `address:${rateLimit.normalizeIP(request.ip)}` : principal.id;
}

export class RateLimits {
  readonly #options: RateLimitOptions;
  #local: Counters | null = null;
  #shared: Counters | null = null;
  #redis: Redis | null = null;
  #sharedFrom = 0;

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** Before the first request. */
  async open(fastify: FastifyInstance): Promise<void> {
    const { redisUrl, logger } = this.#options;
    this.#local = await this.#counters(fastify, {});
    if (redisUrl === null) return;
    const redis = new Redis(redisUrl, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 5_000,
      commandTimeout: ANSWER_MS,
      retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    });
    redis.on('error', (error: Error) => logger.debug({ err: error }, 'rate limits: Redis is away'));
    this.#redis = redis;
    this.#shared = await this.#counters(fastify, { redis, nameSpace: 'spine:rate:' });
  }

  close(): void {
    this.#redis?.disconnect();
  }

  /** Counts a request of an identified caller, or of an address. Null: there is no limit. */
  async count(request: FastifyRequest): Promise<Standing | null> {
    if (this.#options.perMinute === 0) return null;
    return this.#ask(({ callers }) => callers(request));
  }

  /** Whether an address has offered too many wrong keys; `offered` counts one more. */
  async wrongKeys(request: FastifyRequest, offered: boolean): Promise<Standing | null> {
    return this.#ask(({ wrongKeys }) => wrongKeys(request, { increment: offered }));
  }

  async #ask(count: (counters: Counters) => Promise<Answer>): Promise<Standing | null> {
    const now = performance.now();
    if (this.#shared !== null && now >= this.#sharedFrom) {
      try {
        return toStanding(await count(this.#shared));
      } catch (error) {
        this.#sharedFrom = now + PAUSE_MS;
        this.#options.logger.debug({ err: error }, 'rate limits: counted in this process for a while');
      }
    }
    return this.#local === null ? null : toStanding(await count(this.#local));
  }

  /** The plugin decorates the server it is registered with: each kind of store has a scope of its own. */
  async #counters(
    fastify: FastifyInstance,
    store: { readonly redis?: Redis; readonly nameSpace?: string },
  ): Promise<Counters> {
    const { perMinute } = this.#options;
    const made: Counters[] = [];
    await fastify.register(async (scope) => {
      await scope.register(rateLimit, { global: false, timeWindow: WINDOW_MS, ...store });
      made.push({
        callers: scope.createRateLimit({ max: perMinute, keyGenerator: callerOf }),
        wrongKeys: scope.createRateLimit({
          max: WRONG_KEYS_PER_MINUTE,
          keyGenerator: (request) => `wrong:${rateLimit.normalizeIP(request.ip)}`,
        }),
      });
    });
    const [counters] = made;
    if (counters === undefined) throw new InvariantError('the server did not load the rate limits');
    return counters;
  }
}

function toStanding(answer: Answer): Standing | null {
  if (answer.isAllowed) return null;
  const { max = 0, remaining = 0, ttlInSeconds = 0, isExceeded = false } = answer;
  return { limit: max, remaining, resetSeconds: Math.max(0, ttlInSeconds), exceeded: isExceeded };
}

/** As of draft-ietf-httpapi-ratelimit-headers, in the form that most clients read. */
export function rateLimitHeaders({ limit, remaining, resetSeconds }: Standing): Record<string, string> {
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  };
}
