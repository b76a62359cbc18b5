export { TestInfrastructureError, WaitTimeoutError } from './errors.ts';
export { globalSetup } from './global-setup.ts';
export type { TestDatabase } from './postgres/databases.ts';
export type { TestServers } from './provided.ts';
export { startRedisServer, type RedisServer, type RedisServerOptions } from './redis/server.ts';
export { forgetServer, reapAbandonedServers, recordServer, runDirectory } from './servers/run-directory.ts';
export { createEmptyDatabase, createTestDatabase, testRedisUrl } from './test-servers.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
/** A TCP port of 127.0.0.1 that is free now. It may be taken before it is used: callers retry. */
export { anyFreePort as freePort } from '@spine/database/embedded';
