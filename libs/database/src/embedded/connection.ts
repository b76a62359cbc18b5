/** How to reach the Postgres that a launcher runs in a data directory. Looks only: nothing is made or started. */
import { resolve } from 'node:path';
import { isCluster, relocatedPlace } from './placement.ts';
import { APPLICATION_NAME, connectionStringFor } from './provision.ts';
import { findPostmaster } from './server.ts';
import { readState } from './state.ts';

export type EmbeddedConnection =
  /** As `startEmbeddedPostgres` answers it. Holds a password: not for logs. */
  | { readonly type: 'running'; readonly connectionString: string; readonly dataDir: string }
  /** There is a database, and no server for it. */
  | { readonly type: 'stopped'; readonly dataDir: string }
  /** Nothing was ever started there. */
  | { readonly type: 'none' }
  /** It belongs to another user, who alone may read its password. */
  | { readonly type: 'not_readable'; readonly dataDir: string };

/** @param asked the data directory that `startEmbeddedPostgres` was asked for */
export async function embeddedConnection(asked: string): Promise<EmbeddedConnection> {
  const place = resolve(asked);
  const dataDir = [place, relocatedPlace(place).dataDir].find(isCluster);
  if (dataDir === undefined) return { type: 'none' };
  if ((await findPostmaster(dataDir)) === undefined) return { type: 'stopped', dataDir };
  const state = await readState(dataDir);
  if (state === undefined || state.port === null) return { type: 'not_readable', dataDir };
  return {
    type: 'running',
    connectionString: connectionStringFor(APPLICATION_NAME, state.password, state.port, APPLICATION_NAME),
    dataDir,
  };
}
