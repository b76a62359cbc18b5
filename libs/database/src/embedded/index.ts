export { embeddedConnection, type EmbeddedConnection } from './connection.ts';
export { EmbeddedPostgresError } from './errors.ts';
export { anyFreePort, isPortFree, nextFreePort } from './ports.ts';
export {
  commandLineOf,
  identifyProcess,
  isRunning,
  isStillRunning,
  type ProcessIdentity,
} from './process-table.ts';
export { findEmbeddedPostgres, startEmbeddedPostgres } from './start.ts';
export type { EmbeddedPostgres, EmbeddedPostgresOptions, OnProgress } from './types.ts';
