import type { CallOptions, Connection } from '../connection.ts';
import type {
  ListDataSymbolsData,
  ListDataVenuesData,
  ListDataWeeksData,
  ListSymbolHistoryData,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

/** Data of the deployment's domains. With `as_of`, as it was known at that time. */
export function data({ api, call }: Connection) {
  return {
    /** Weeks of a tier, newest first. */
    weeks: (query: ListDataWeeksData['query'], options?: CallOptions) =>
      paged(query, (query) => api.listDataWeeks({ ...call(options), query })),
    /** Symbols of a week, most shares first. */
    symbols: (query: ListDataSymbolsData['query'], options?: CallOptions) =>
      paged(query, (query) => api.listDataSymbols({ ...call(options), query })),
    /** Weeks of a symbol, newest first. */
    history: (symbol: string, query: ListSymbolHistoryData['query'], options?: CallOptions) =>
      paged(query, (query) => api.listSymbolHistory({ ...call(options), path: { symbol }, query })),
    /** Venues of a week, by their part of its shares. */
    venues: (query: ListDataVenuesData['query'], options?: CallOptions) =>
      paged(query, (query) => api.listDataVenues({ ...call(options), query })),
  };
}
