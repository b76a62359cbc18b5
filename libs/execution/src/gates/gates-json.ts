/** Gates in the JSON of a WorkSpec, and as a WorkSpec has them. The one place where the one becomes the other. */
import { z } from 'zod';
import { isStorableText } from '@spine/core';
import { RATE_ALGORITHMS, RATE_LIMITS } from '@spine/database';
import type { RateAlgorithm } from '@spine/database';
import { LIMITS } from '../spec/limits.ts';

/** Runs under one key at the same time. */
export interface ConcurrencyLimit {
  readonly key: string;
  /** 1 to 100,000. */
  readonly limit: number;
}

/** How many starts a time allows; the numbers alone, without the key they are counted under. */
export interface RateOptions {
  /** Starts in `perSeconds`, 1 to 1,000,000. */
  readonly limit: number;
  /** 0.001 to 31 days. */
  readonly perSeconds: number;
  /** Default `token_bucket`: refills steadily. `sliding_window`: at most `limit` in any `perSeconds`. */
  readonly algorithm?: RateAlgorithm;
  /** Starts at once after a pause, of a token bucket. Default `limit`. */
  readonly burst?: number;
}

export interface RateLimit extends RateOptions {
  readonly key: string;
}

const storable = (maxLength: number) =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine(isStorableText, 'must not contain NUL characters or lone surrogates');

const key = storable(LIMITS.keyLength);

const concurrencyJson = z
  .strictObject({ key, limit: z.int().min(1).max(LIMITS.concurrency) })
  .meta({ id: 'ConcurrencyLimit', description: 'Runs under one key at the same time.' });

const rateLimitJson = z
  .strictObject({
    key,
    limit: z.int().min(1).max(RATE_LIMITS.permits).describe('Starts in per_seconds.'),
    per_seconds: z
      .number()
      .min(0.001)
      .max(RATE_LIMITS.perMs / 1_000),
    algorithm: z
      .enum(RATE_ALGORITHMS)
      .optional()
      .describe('token_bucket (default) refills steadily; sliding_window: at most limit in any per_seconds.'),
    burst: z
      .int()
      .min(1)
      .max(RATE_LIMITS.permits)
      .optional()
      .describe('Starts at once, of a token bucket. Default: limit.'),
  })
  .refine((rate) => rate.burst === undefined || rate.algorithm !== 'sliding_window', {
    path: ['burst'],
    message: 'burst is for token_bucket alone',
  })
  .meta({ id: 'RateLimit', description: 'How many runs may start under one key in a time.' });

/** Fields of a WorkSpec. */
export const specGatesJson = {
  concurrency: z
    .array(concurrencyJson)
    .max(LIMITS.gates)
    .optional()
    .describe('Limits this run counts under.'),
  rate_limits: z.array(rateLimitJson).max(LIMITS.gates).optional().describe('Rates this run counts under.'),
  breakers: z
    .array(
      z
        .string()
        .regex(
          LIMITS.breaker,
          'must be a lower-case letter followed by at most 99 of a-z, 0-9, "_", ".", "-"',
        ),
    )
    .max(LIMITS.gates)
    .optional()
    .describe('Dependencies whose circuit breakers must be closed for it to start.'),
};

const specGates = z.object(specGatesJson);
export type SpecGatesJson = z.infer<typeof specGates>;

/** What a WorkSpec says of its gates. */
export interface SpecGates {
  readonly concurrency?: readonly ConcurrencyLimit[];
  readonly rateLimits?: readonly RateLimit[];
  readonly breakers?: readonly string[];
}

export function specGatesFromJson(json: SpecGatesJson): {
  concurrency: readonly ConcurrencyLimit[] | undefined;
  rateLimits: readonly RateLimit[] | undefined;
  breakers: readonly string[] | undefined;
} {
  return {
    concurrency: json.concurrency,
    rateLimits: json.rate_limits?.map(({ key, limit, per_seconds, algorithm, burst }) => ({
      key,
      limit,
      perSeconds: per_seconds,
      ...(algorithm === undefined ? {} : { algorithm }),
      ...(burst === undefined ? {} : { burst }),
    })),
    breakers: json.breakers,
  };
}

/** The same in the other direction, for checking a spec that code has made. */
export function specGatesToJson(spec: SpecGates): unknown {
  return {
    concurrency: spec.concurrency,
    rate_limits: spec.rateLimits?.map(({ perSeconds, ...rate }) => ({ ...rate, per_seconds: perSeconds })),
    breakers: spec.breakers,
  };
}

/** What is wrong with a spec's gates, by field; for specs that did not come in as JSON. */
export function checkSpecGates(spec: SpecGates): { field: string; code: string; message: string }[] {
  if (spec.concurrency === undefined && spec.rateLimits === undefined && spec.breakers === undefined)
    return [];
  const parsed = specGates.safeParse(specGatesToJson(spec));
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, code, message }) => ({ field: fieldOf(path), code, message }));
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (field, segment) =>
      typeof segment === 'number'
        ? `${field}[${segment}]`
        : `${field}${field === '' ? '' : '.'}${String(segment)}`,
    '',
  );
}
