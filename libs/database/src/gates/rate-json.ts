/** The JSON of rates: as `runs.gates` names them and as `gate_states.rate` keeps what has been taken. */
import { isRateSpec } from './rate.ts';
import type { RateSpec, RateState } from './rate.ts';

export interface RateSpecJson {
  readonly algorithm: RateSpec['algorithm'];
  readonly limit: number;
  readonly per_ms: number;
  readonly burst?: number;
}

export function rateSpecToJson(spec: RateSpec): RateSpecJson {
  const { algorithm, limit, perMs } = spec;
  const burst = spec.algorithm === 'token_bucket' ? { burst: spec.burst } : {};
  return { algorithm, limit, per_ms: perMs, ...burst };
}

/** Null for what is no rate this release knows. */
export function rateSpecFromJson(value: object): RateSpec | null {
  const spec: unknown = {
    limit: 'limit' in value ? value.limit : null,
    perMs: 'per_ms' in value ? value.per_ms : null,
    algorithm: 'algorithm' in value ? value.algorithm : null,
    ...('burst' in value ? { burst: value.burst } : {}),
  };
  return isRateSpec(spec) ? spec : null;
}

/** JSON text for `gate_states.rate`. */
export function encodeRate(spec: RateSpec, state: RateState | null): string {
  return JSON.stringify({ ...rateSpecToJson(spec), ...(state === null ? {} : stateToJson(state)) });
}

function stateToJson(state: RateState): object {
  switch (state.algorithm) {
    case 'token_bucket':
      return { owed: state.owed, at: state.at };
    case 'sliding_window':
      return { taken: state.taken };
  }
}

export interface StoredRate {
  readonly spec: RateSpec;
  readonly state: RateState | null;
}

/** What `gate_states.rate` holds; null for nothing, and for what this release cannot read: the rate starts anew. */
export function decodeRate(value: unknown): StoredRate | null {
  if (typeof value !== 'object' || value === null) return null;
  const spec = rateSpecFromJson(value);
  if (spec === null) return null;
  if ('owed' in value && 'at' in value && typeof value.owed === 'number' && typeof value.at === 'number') {
    const { owed, at } = value;
    return { spec, state: { algorithm: 'token_bucket', owed, perMs: spec.perMs, at } };
  }
  if ('taken' in value && Array.isArray(value.taken)) {
    return { spec, state: { algorithm: 'sliding_window', taken: value.taken.filter(isMoment) } };
  }
  return { spec, state: null };
}

function isMoment(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === 'number');
}
