/** Whether an asset is as new as was promised, and whether it still stands on what it was made from. */
import { ValidationError } from '../errors/permanent.ts';

/** How old the newest materialization of an asset may be. */
export interface FreshnessPolicy {
  /** Seconds, more than 0. Null promises nothing: once materialized, the asset stays fresh. */
  readonly maxLagSeconds: number | null;
}

export const FRESHNESS = ['fresh', 'stale', 'missing'] as const;
export type FreshnessStatus = (typeof FRESHNESS)[number];

/** The verdict about an asset at an instant. Lags are whole seconds, rounded down. */
export type Freshness =
  | { readonly status: 'fresh'; readonly lagSeconds: number }
  | { readonly status: 'stale'; readonly lagSeconds: number; readonly overdueSeconds: number }
  /** Never materialized. */
  | { readonly status: 'missing' };

/** @throws ValidationError for a lag that is no whole number of seconds from 1 on. */
export function freshnessPolicy(maxLagSeconds: number | null, field = 'max_lag_seconds'): FreshnessPolicy {
  if (maxLagSeconds === null || (Number.isSafeInteger(maxLagSeconds) && maxLagSeconds > 0)) {
    return { maxLagSeconds };
  }
  const message = `given ${maxLagSeconds}; allowed: a whole number of seconds from 1 on, or null`;
  throw new ValidationError(`${field}: ${message}`, {
    issues: [{ field, code: 'invalid_max_lag', message }],
  });
}

/**
 * The freshness of an asset whose newest materialization is from `lastMaterializedAt`. Exactly at its limit it is fresh; a
 * materialization from after `now`, which another clock may have stamped, has no lag.
 */
export function freshnessOf(policy: FreshnessPolicy, lastMaterializedAt: Date | null, now: Date): Freshness {
  if (lastMaterializedAt === null) return { status: 'missing' };
  const lagMs = Math.max(0, now.getTime() - lastMaterializedAt.getTime());
  const lagSeconds = Math.floor(lagMs / 1000);
  if (policy.maxLagSeconds === null || lagMs <= policy.maxLagSeconds * 1000)
    return { status: 'fresh', lagSeconds };
  return {
    status: 'stale',
    lagSeconds,
    overdueSeconds: Math.floor((lagMs - policy.maxLagSeconds * 1000) / 1000),
  };
}

/** One input of a materialization: what it read, and what is there now. */
export interface InputVersions {
  readonly assetKey: string;
  readonly partitionKey: string;
  /** Null: a source that is not materialized here. */
  readonly usedMaterializationId: number | null;
  readonly usedDataVersion: string;
  /** The newest materialization of that asset and partition; null when there is none. */
  readonly latestMaterializationId: number | null;
  readonly latestDataVersion: string | null;
}

export type Staleness =
  | { readonly status: 'current' }
  /** The inputs that have changed since, in the order they were given. */
  | { readonly status: 'stale'; readonly changed: readonly InputVersions[] };

/**
 * Whether an input was materialized with other data after it was read. The same data written again (equal data version)
 * makes nothing stale, nor does an input that only sources know.
 */
export function stalenessOf(inputs: readonly InputVersions[]): Staleness {
  const changed = inputs.filter(
    (input) =>
      input.latestMaterializationId !== null &&
      input.latestMaterializationId > (input.usedMaterializationId ?? 0) &&
      input.latestDataVersion !== input.usedDataVersion,
  );
  return changed.length === 0 ? { status: 'current' } : { status: 'stale', changed };
}
