/** Which database the commands on this machine work on: the one of SPINE_DATABASE_URL, else the one that `spine start` runs here. */
import { join } from 'node:path';
import { loadProcessSettings, readProcessConfiguration } from '@spine/config';
import type { ProcessOptions, Role, Settings } from '@spine/config';
import { assertNever, ConfigError } from '@spine/core';
import { databaseExists } from '@spine/database';
import { embeddedConnection } from '@spine/database/embedded';
import { databaseAddress, unusableDatabase } from '../launch/schema.ts';

export interface FoundDatabase {
  readonly type: 'found';
  /** Holds a password: not for output. */
  readonly connectionString: string;
  /** Server and database, for people. */
  readonly address: string;
}

/** There is none to work on. */
export interface NoDatabase {
  readonly type: 'none';
  readonly why: string;
}

/** Looks only: no server is started. */
export async function databaseOf(settings: Settings): Promise<FoundDatabase | NoDatabase> {
  const given = settings.database.url?.reveal();
  if (given !== undefined) {
    return { type: 'found', connectionString: given, address: databaseAddress(given) };
  }
  const embedded = await embeddedConnection(join(settings.dataDir, 'postgres'));
  switch (embedded.type) {
    case 'running': {
      const { connectionString } = embedded;
      return { type: 'found', connectionString, address: `${databaseAddress(connectionString)} (embedded)` };
    }
    case 'stopped':
      return { type: 'none', why: `the embedded database in ${embedded.dataDir} is not running` };
    case 'not_readable':
      return { type: 'none', why: `the embedded database in ${embedded.dataDir} belongs to another user` };
    case 'none':
      return {
        type: 'none',
        why: `SPINE_DATABASE_URL is not set, and there is no database in ${settings.dataDir}`,
      };
    default:
      return assertNever(embedded);
  }
}

export interface LocalDatabase extends FoundDatabase {
  readonly settings: Settings;
}

/** @throws ConfigError for settings that cannot be used, and where there is no database */
export async function openLocal(places: Omit<ProcessOptions, 'role'>): Promise<LocalDatabase> {
  const named = readProcessConfiguration(places).merged.has('SPINE_DATABASE_URL');
  // What the API insists on (a key, when it is open to the network) is none of a database's business.
  const role = named ? 'migrate' : 'launcher';
  const settings = await loadProcessSettings<Role>({ ...places, role });
  const target = await databaseOf(settings);
  if (target.type === 'found') return { ...target, settings };
  throw new ConfigError(`${target.why}; run \`spine start\`, or set SPINE_DATABASE_URL`);
}

/**
 * The same, of a database that answers.
 * @throws ConfigError also where it does not
 */
export async function openReachable(places: Omit<ProcessOptions, 'role'>): Promise<LocalDatabase> {
  const local = await openLocal(places);
  const isThere = await databaseExists(local.connectionString).catch((error: unknown) => {
    throw unusableDatabase(local.connectionString, error);
  });
  if (isThere) return local;
  throw new ConfigError(`the database ${local.address} does not exist; spine db init makes it`);
}
