import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type { ListServicesData } from '../generated/index.ts';
import { paged } from '../paging.ts';

/** What runs, and on what. */
export function deploy({ api, call }: Connection) {
  return {
    /** Which versions run, and whether the schema is theirs. */
    status: (options?: CallOptions) => dataOf(api.getDeployStatus(call(options))),
    /** Live processes, by service and age. */
    services: (query?: NonNullable<ListServicesData['query']>, options?: CallOptions) =>
      paged(query, (query) => api.listServices({ ...call(options), query })),
    /** Database and queue, with their versions, latency, and settings that matter. */
    backends: (options?: CallOptions) => dataOf(api.getBackends(call(options))),
  };
}
