import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  BackupRequest,
  DatabaseInitRequest,
  DatabaseQuery,
  GetRetentionData,
  LedgerPurgeRequest,
  ListBackupsData,
  ListIndexesData,
  ListTablesData,
  VacuumRequest,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** The database of the deployment. What changes it is not repeated by itself. */
export function database({ api, call }: Connection) {
  return {
    health: (options?: CallOptions) => dataOf(api.getDatabaseHealth(call(options))),
    /** The largest first. */
    tables: (query?: Query<ListTablesData>, options?: CallOptions) =>
      paged(query, (query) => api.listTables({ ...call(options), query })),
    /** With `unused` those that nothing needs. */
    indexes: (query?: Query<ListIndexesData>, options?: CallOptions) =>
      paged(query, (query) => api.listIndexes({ ...call(options), query })),
    schema: (options?: CallOptions) => dataOf(api.getSchema(call(options))),
    /** The settings in effect, secrets hidden, and where they come from. */
    config: (options?: CallOptions) => dataOf(api.getConfig(call(options))),
    /** Applies pending migrations; with `dry_run`, the default, says which they are. */
    init: (body: DatabaseInitRequest = {}, options?: CallOptions) =>
      dataOf(api.initDatabase({ ...call(options), body })),
    /** Reads, with limits to rows and time. Changes nothing, so it is repeated. */
    query: (body: DatabaseQuery, options?: CallOptions) =>
      dataOf(api.queryDatabase({ ...call(options, true), body })),
    vacuum: (body: VacuumRequest, options?: CallOptions) => dataOf(api.vacuum({ ...call(options), body })),
    backUp: (body: NonNullable<BackupRequest> = {}, options?: CallOptions) =>
      dataOf(api.backUp({ ...call(options), body })),
    /** Those that are whole, newest first. */
    backups: (query?: Query<ListBackupsData>, options?: CallOptions) =>
      paged(query, (query) => api.listBackups({ ...call(options), query })),
    /** How long tables of the ledger are kept, and what may go now. */
    retention: (query?: Query<GetRetentionData>, options?: CallOptions) =>
      paged(query, (query) => api.getRetention({ ...call(options), query })),
    /** Deletes old rows of the ledger; with `dry_run` they are only counted. */
    purge: (body: LedgerPurgeRequest, options?: CallOptions) => dataOf(api.purge({ ...call(options), body })),
  };
}
