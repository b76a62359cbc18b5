/** What keeps runs from starting: limits, circuit breakers, locks. */
import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  BreakerOpenRequest,
  BreakerRequest,
  ListBreakersData,
  ListLimitsData,
  ListLocksData,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

export function limits({ api, call }: Connection) {
  return {
    /** Keys that limits are counted under, with what holds them and what waits. */
    list: (query?: Query<ListLimitsData>, options?: CallOptions) =>
      paged(query, (query) => api.listLimits({ ...call(options), query })),
  };
}

export function breakers({ api, call }: Connection) {
  const path = (name: string) => ({ path: { name } });
  return {
    list: (query?: Query<ListBreakersData>, options?: CallOptions) =>
      paged(query, (query) => api.listBreakers({ ...call(options), query })),
    get: (name: string, options?: CallOptions) => dataOf(api.getBreaker({ ...call(options), ...path(name) })),
    /** Lets nothing through until somebody closes or resets it. */
    open: (name: string, body: NonNullable<BreakerOpenRequest> = {}, options?: CallOptions) =>
      dataOf(api.openBreaker({ ...call(options), ...path(name), body })),
    /** Keeps it closed, whatever fails. */
    close: (name: string, body: NonNullable<BreakerRequest> = {}, options?: CallOptions) =>
      dataOf(api.closeBreaker({ ...call(options), ...path(name), body })),
    /** It decides by itself again, from nothing. */
    reset: (name: string, body: NonNullable<BreakerRequest> = {}, options?: CallOptions) =>
      dataOf(api.resetBreaker({ ...call(options), ...path(name), body })),
  };
}

export function locks({ api, call }: Connection) {
  return {
    /** By key, at most 1,000. */
    list: (query?: Query<ListLocksData>, options?: CallOptions) =>
      dataOf(api.listLocks({ ...call(options), query })),
    /** Takes it from whoever holds it, whose writes are refused from then on. */
    release: (lockKey: string, options?: CallOptions) =>
      dataOf(api.releaseLock({ ...call(options), path: { lock_key: lockKey } })),
  };
}
