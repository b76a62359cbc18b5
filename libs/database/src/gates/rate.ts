/**
 * Rates as pure functions of (spec, state, now): the same for gates, the Postgres limiter and the one in memory.
 *
 * 1. Integers only: a bucket counts what it is owed in permit-milliseconds, so nothing is rounded away however often it
 *    is asked. 2. A clock that went back counts as one that stood still. 3. A window never lets more through than its
 *    limit: where it keeps no single moments, a permit counts as taken at the end of its slot.
 */
import { ValidationError } from '@spine/core';

/** Refills steadily and holds at most `burst` permits. */
export interface TokenBucketSpec {
  readonly algorithm: 'token_bucket';
  /** Permits that come back in `perMs`. */
  readonly limit: number;
  readonly perMs: number;
  /** Permits a full bucket holds. */
  readonly burst: number;
}

/** At most `limit` permits in any `perMs`. */
export interface SlidingWindowSpec {
  readonly algorithm: 'sliding_window';
  readonly limit: number;
  readonly perMs: number;
}

export type RateSpec = TokenBucketSpec | SlidingWindowSpec;
export type RateAlgorithm = RateSpec['algorithm'];
export const RATE_ALGORITHMS = ['token_bucket', 'sliding_window'] as const satisfies readonly RateAlgorithm[];

export const RATE_LIMITS = { permits: 1_000_000, perMs: 31 * 86_400_000 } as const;

/** Slots a window is divided into when its limit is larger than that. */
const WINDOW_SLOTS = 128;

interface BucketState {
  readonly algorithm: 'token_bucket';
  /** Permits taken and not come back by `at`, times `perMs`. */
  readonly owed: number;
  readonly perMs: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

interface WindowState {
  readonly algorithm: 'sliding_window';
  /** Moment and permits, oldest first. */
  readonly taken: readonly (readonly [at: number, permits: number])[];
}

/** What has been taken; null for a rate nobody has used. */
export type RateState = BucketState | WindowState;

export type RateTake =
  | { readonly type: 'taken'; readonly state: RateState }
  /** `nextAt`: milliseconds since 1970, from when on this take would have succeeded. */
  | { readonly type: 'refused'; readonly nextAt: number };

function isWhole(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max;
}

export function isRateSpec(value: unknown): value is RateSpec {
  if (typeof value !== 'object' || value === null) return false;
  if (!('limit' in value) || !('perMs' in value) || !('algorithm' in value)) return false;
  if (!isWhole(value.limit, RATE_LIMITS.permits) || !isWhole(value.perMs, RATE_LIMITS.perMs)) return false;
  if (value.algorithm === 'sliding_window') return true;
  return value.algorithm === 'token_bucket' && 'burst' in value && isWhole(value.burst, RATE_LIMITS.permits);
}

/** The most permits one take may ask for. */
export function rateCapacity(spec: RateSpec): number {
  return spec.algorithm === 'token_bucket' ? spec.burst : spec.limit;
}

/** @throws ValidationError for a number of permits that the rate never has at once. */
export function checkPermits(spec: RateSpec, permits: number): void {
  const most = rateCapacity(spec);
  if (isWhole(permits, most)) return;
  throw new ValidationError(`permits is ${permits}; this rate gives whole numbers from 1 to ${most}`, {
    issues: [{ field: 'permits', code: 'out_of_range', message: `must be a whole number from 1 to ${most}` }],
  });
}

/** Takes `permits` at `now` (milliseconds since 1970), or says when that would succeed. */
export function takeRate(spec: RateSpec, state: RateState | null, permits: number, now: number): RateTake {
  checkPermits(spec, permits);
  const nextAt = rateAvailableAt(spec, state, permits, now);
  if (nextAt > now) return { type: 'refused', nextAt };
  if (spec.algorithm === 'token_bucket') {
    const bucket = settleBucket(spec, state, now);
    return { type: 'taken', state: { ...bucket, owed: bucket.owed + permits * spec.perMs } };
  }
  return {
    type: 'taken',
    state: { algorithm: 'sliding_window', taken: addToWindow(spec, state, permits, now) },
  };
}

/** The first moment, not before `now`, at which `permits` could be taken. */
export function rateAvailableAt(
  spec: RateSpec,
  state: RateState | null,
  permits: number,
  now: number,
): number {
  if (spec.algorithm === 'token_bucket') {
    const { owed, at } = settleBucket(spec, state, now);
    const missing = owed + (permits - spec.burst) * spec.perMs;
    return missing <= 0 ? now : at + Math.ceil(missing / spec.limit);
  }
  let excess = usedOfWindow(spec, state, now) + permits - spec.limit;
  if (excess <= 0) return now;
  for (const [at, taken] of live(spec, state, now)) {
    excess -= taken;
    if (excess <= 0) return at + spec.perMs;
  }
  return now + spec.perMs;
}

/** Whole permits that could be taken now. */
export function freePermits(spec: RateSpec, state: RateState | null, now: number): number {
  if (spec.algorithm === 'token_bucket') {
    const { owed } = settleBucket(spec, state, now);
    return Math.max(0, Math.floor((spec.burst * spec.perMs - owed) / spec.perMs));
  }
  return Math.max(0, spec.limit - usedOfWindow(spec, state, now));
}

/** Puts back permits that were taken and not used. */
export function giveBackRate(
  spec: RateSpec,
  state: RateState | null,
  permits: number,
  now: number,
): RateState {
  if (spec.algorithm === 'token_bucket') {
    const bucket = settleBucket(spec, state, now);
    return { ...bucket, owed: Math.max(0, bucket.owed - permits * spec.perMs) };
  }
  const taken = [...live(spec, state, now)];
  let left = permits;
  while (left > 0) {
    const last = taken.pop();
    if (last === undefined) break;
    if (last[1] > left) taken.push([last[0], last[1] - left]);
    left -= last[1];
  }
  return { algorithm: 'sliding_window', taken };
}

/** The bucket as it is at `now`. A state of another rate is converted; of another algorithm, forgotten. */
function settleBucket(spec: TokenBucketSpec, state: RateState | null, now: number): BucketState {
  const fresh = { algorithm: 'token_bucket', owed: 0, perMs: spec.perMs, at: now } as const;
  if (state === null || state.algorithm !== 'token_bucket') return fresh;
  const at = Math.max(state.at, now);
  const passed = at - state.at;
  const converted =
    state.perMs === spec.perMs ? state.owed : Math.ceil((state.owed / state.perMs) * spec.perMs);
  const owed = Math.min(converted, spec.burst * spec.perMs);
  // Divided first: so many permit-milliseconds would be no exact number after a long pause.
  const left = passed >= owed / spec.limit ? 0 : owed - passed * spec.limit;
  return { ...fresh, owed: left, at };
}

function slotMs(spec: SlidingWindowSpec): number {
  return spec.limit <= WINDOW_SLOTS ? 1 : Math.max(1, Math.ceil(spec.perMs / WINDOW_SLOTS));
}

function live(spec: SlidingWindowSpec, state: RateState | null, now: number): WindowState['taken'] {
  if (state === null || state.algorithm !== 'sliding_window') return [];
  return state.taken.filter(([at]) => at > now - spec.perMs);
}

function usedOfWindow(spec: SlidingWindowSpec, state: RateState | null, now: number): number {
  return live(spec, state, now).reduce((sum, [, permits]) => sum + permits, 0);
}

function addToWindow(
  spec: SlidingWindowSpec,
  state: RateState | null,
  permits: number,
  now: number,
): WindowState['taken'] {
  const taken = [...live(spec, state, now)];
  const last = taken.at(-1);
  const slot = slotMs(spec);
  const at = Math.max(last?.[0] ?? 0, Math.ceil(now / slot) * slot);
  if (last !== undefined && last[0] === at) taken[taken.length - 1] = [at, last[1] + permits];
  else taken.push([at, permits]);
  return taken;
}

/** The moment from which on nothing of the rate is used up any more. */
export function rateIdleAt(spec: RateSpec, state: RateState | null, now: number): number {
  if (spec.algorithm === 'token_bucket') {
    const { owed, at } = settleBucket(spec, state, now);
    return at + Math.ceil(owed / spec.limit);
  }
  const last = live(spec, state, now).at(-1);
  return last === undefined ? now : last[0] + spec.perMs;
}
