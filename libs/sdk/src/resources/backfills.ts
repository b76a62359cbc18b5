import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  BackfillLimits,
  BackfillRequest,
  ListBackfillsData,
  ListPartitionsData,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** Doing partitions again. A backfill is planned by `create` and does nothing before `start`. */
export function backfills({ api, call }: Connection) {
  const path = (backfillId: string) => ({ path: { backfill_id: backfillId } });
  return {
    list: (query?: Query<ListBackfillsData>, options?: CallOptions) =>
      paged(query, (query) => api.listBackfills({ ...call(options), query })),
    get: (backfillId: string, options?: CallOptions) =>
      dataOf(api.getBackfill({ ...call(options), ...path(backfillId) })),
    create: (body: BackfillRequest, options?: CallOptions) =>
      dataOf(api.createBackfill({ ...call(options), body })),
    start: (backfillId: string, options?: CallOptions) =>
      dataOf(api.startBackfill({ ...call(options), ...path(backfillId) })),
    resume: (backfillId: string, options?: CallOptions) =>
      dataOf(api.resumeBackfill({ ...call(options), ...path(backfillId) })),
    cancel: (backfillId: string, options?: CallOptions) =>
      dataOf(api.cancelBackfill({ ...call(options), ...path(backfillId) })),
    /** How much of it may be under way at once. */
    limit: (backfillId: string, body: BackfillLimits, options?: CallOptions) =>
      dataOf(api.limitBackfill({ ...call(options), ...path(backfillId), body })),
    delete: (backfillId: string, options?: CallOptions) =>
      dataOf(api.deleteBackfill({ ...call(options), ...path(backfillId) })),
    partitions: (backfillId: string, query?: Query<ListPartitionsData>, options?: CallOptions) =>
      paged(query, (query) => api.listPartitions({ ...call(options), ...path(backfillId), query })),
  };
}
