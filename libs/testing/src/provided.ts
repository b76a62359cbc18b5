import { inject } from 'vitest';
import { TestInfrastructureError } from './errors.ts';

/** What the global set-up started, as the test files see it. */
export interface TestServers {
  /** Distinguishes the runs that share servers; letters and digits. */
  readonly runId: string;
  /** Connection string to a database of the Postgres server; its role may create databases. */
  readonly postgres: string;
  /** The migrated database that test databases are copied from. */
  readonly template: string;
  /** URL of the shared Redis, without a database. */
  readonly redis: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    spineServers: TestServers;
  }
}

/** @throws TestInfrastructureError outside a vitest run with our global set-up. */
export function testServers(): TestServers {
  const servers: TestServers | undefined = inject('spineServers');
  if (servers !== undefined) return servers;
  throw new TestInfrastructureError(
    'The test servers are not running: run vitest from the workspace root, whose vitest.config.ts starts them.',
  );
}
