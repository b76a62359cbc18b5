import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  DeadLetterBulkRequest,
  DeadLetterPurgeRequest,
  ListDeadLettersData,
  ResolveRequest,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type ListQuery = NonNullable<ListDeadLettersData['query']>;

/** Runs that failed for good. */
export function dlq({ api, call }: Connection) {
  const path = (deadLetterId: string) => ({ path: { dead_letter_id: deadLetterId } });
  return {
    list: (query?: ListQuery, options?: CallOptions) =>
      paged(query, (query) => api.listDeadLetters({ ...call(options), query })),
    get: (deadLetterId: string, options?: CallOptions) =>
      dataOf(api.getDeadLetter({ ...call(options), ...path(deadLetterId) })),
    stats: (options?: CallOptions) => dataOf(api.getDeadLetterStats(call(options))),
    /** Does its run again, as a new run. Not repeated by itself. */
    replay: (deadLetterId: string, body: NonNullable<ResolveRequest> = {}, options?: CallOptions) =>
      dataOf(api.replayDeadLetter({ ...call(options), ...path(deadLetterId), body })),
    resolve: (deadLetterId: string, body: NonNullable<ResolveRequest> = {}, options?: CallOptions) =>
      dataOf(api.resolveDeadLetter({ ...call(options), ...path(deadLetterId), body })),
    /** Many, by filter; with `dry_run` they are only counted. */
    replayMany: (body: DeadLetterBulkRequest, options?: CallOptions) =>
      dataOf(api.replayDeadLetters({ ...call(options), body })),
    resolveMany: (body: DeadLetterBulkRequest, options?: CallOptions) =>
      dataOf(api.resolveDeadLetters({ ...call(options), body })),
    purge: (body: DeadLetterPurgeRequest, options?: CallOptions) =>
      dataOf(api.purgeDeadLetters({ ...call(options), body })),
  };
}
