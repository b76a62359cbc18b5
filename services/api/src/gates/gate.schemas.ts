/** Queries, bodies and answers of the endpoints about limits and breakers. */
import { z } from 'zod';
import { BREAKER_STATES, decodeRate, freePermits, RATE_ALGORITHMS, rateAvailableAt } from '@spine/database';
import type { BreakerOrder, BreakerRecord, GateKey, GateOverview } from '@spine/database';
import { LIMITS } from '@spine/execution';
import { LIMIT } from '../http/paging.ts';
import { once, wholeNumber } from '../http/query-values.ts';

const LIMIT_TYPES = ['concurrency', 'rate', 'singleton'] as const;
const instant = z.iso.datetime();

const cursorOnly = {
  limit: wholeNumber(1, LIMIT.max)
    .default(LIMIT.default)
    .describe(`Items of one page. Default ${LIMIT.default}.`),
  cursor: once(z.string().min(1).max(2_000)).optional().describe('`page.next_cursor` of the page before.'),
};

export const limitListQuery = z.strictObject({
  type: once(z.enum(LIMIT_TYPES)).optional(),
  ...cursorOnly,
});
export type LimitListQuery = z.infer<typeof limitListQuery>;

export const breakerListQuery = z.strictObject(cursorOnly);
export type BreakerListQuery = z.infer<typeof breakerListQuery>;

export const limitJson = z
  .object({
    type: z.enum(LIMIT_TYPES),
    key: z.string(),
    limit: z.int().nullable().describe('Of a concurrency key, as the last run that asked said.'),
    held: z.int().describe('Runs that hold the key now.'),
    run_ids: z.array(z.string()).describe('Of those the first 20.'),
    waiting: z.int().describe('Runs in its line, counted up to 10,000.'),
    rate: z
      .object({
        algorithm: z.enum(RATE_ALGORITHMS),
        limit: z.int(),
        per_seconds: z.number(),
        burst: z.int().nullable().describe('Of a token bucket.'),
        free: z.int().describe('Starts that would be let through now.'),
        next_at: instant.describe('When the next start is let through; now where some are free.'),
      })
      .nullable()
      .describe('Of a rate that has been used.'),
    updated_at: instant,
  })
  .meta({ id: 'Limit', description: 'A key that gates of runs name.' });
export type LimitJson = z.infer<typeof limitJson>;

function rateJson({ rate, now }: GateOverview): LimitJson['rate'] {
  const stored = decodeRate(rate);
  if (stored === null) return null;
  const { spec, state } = stored;
  return {
    algorithm: spec.algorithm,
    limit: spec.limit,
    per_seconds: spec.perMs / 1_000,
    burst: spec.algorithm === 'token_bucket' ? spec.burst : null,
    free: freePermits(spec, state, now.getTime()),
    next_at: new Date(rateAvailableAt(spec, state, 1, now.getTime())).toISOString(),
  };
}

export function toLimitJson(gate: GateOverview): LimitJson {
  return {
    type: gate.type,
    key: gate.key,
    limit: gate.limit,
    held: gate.held,
    run_ids: [...gate.holders],
    waiting: gate.waiting,
    rate: rateJson(gate),
    updated_at: gate.updatedAt.toISOString(),
  };
}

/** The place of a key in the list, as its cursor holds it. */
export function limitPosition({ type, key }: GateKey): string {
  return `${type} ${key}`;
}

export function limitAt(position: string): GateKey | null {
  const type = LIMIT_TYPES.find((each) => position.startsWith(`${each} `));
  return type === undefined ? null : { type, key: position.slice(type.length + 1) };
}

export const breakerJson = z
  .object({
    name: z.string(),
    state: z.enum(BREAKER_STATES),
    forced: z.boolean().describe('An operator said so; no worker changes it.'),
    open_until: instant
      .nullable()
      .describe('From then on one run may try; null where closed or until further notice.'),
    failures: z.int().describe('Of the calls that opened it.'),
    changed_by: z.string().describe('Who brought the state about.'),
    note: z.string().nullable(),
    probe_run_id: z.string().nullable().describe('The run that tries while it is half open.'),
    waiting: z.int().describe('Runs in its line, counted up to 10,000.'),
    updated_at: instant,
  })
  .meta({ id: 'Breaker', description: 'The circuit breaker of a dependency, as all workers know it.' });
export type BreakerJson = z.infer<typeof breakerJson>;

export function toBreakerJson(breaker: BreakerRecord, waiting: number): BreakerJson {
  return {
    name: breaker.name,
    state: breaker.state,
    forced: breaker.forced,
    open_until: breaker.openUntil?.toISOString() ?? null,
    failures: breaker.failures,
    changed_by: breaker.changedBy,
    note: breaker.note,
    probe_run_id: breaker.probeOwner,
    waiting,
    updated_at: breaker.updatedAt.toISOString(),
  };
}

export const breakerName = z
  .string()
  .regex(LIMITS.breaker, 'must be a lower-case letter followed by at most 99 of a-z, 0-9, "_", ".", "-"');

const order = {
  by: z.string().min(1).max(200).optional().describe('Who decided. Default api.'),
  note: z.string().max(2_000).optional().describe('Why, for whoever reads it later.'),
};

export const openBreakerBody = z
  .strictObject({
    seconds: z
      .number()
      .min(1)
      .max(30 * 86_400)
      .optional()
      .describe('From then on one run may try. Default: until further notice.'),
    ...order,
  })
  .optional()
  .meta({ id: 'BreakerOpenRequest' });
export type OpenBreakerBody = z.infer<typeof openBreakerBody>;

export const breakerOrderBody = z.strictObject(order).optional().meta({ id: 'BreakerRequest' });
export type BreakerOrderBody = z.infer<typeof breakerOrderBody>;

export function openOrder(body: OpenBreakerBody): BreakerOrder {
  return { type: 'open', forMs: body?.seconds === undefined ? null : Math.round(body.seconds * 1_000) };
}
