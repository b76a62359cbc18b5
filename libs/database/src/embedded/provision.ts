import pg from 'pg';
import { SUPERUSER } from './cluster.ts';
import type { ClusterState } from './state.ts';

export const APPLICATION_NAME = 'spine';

export function connectionStringFor(user: string, password: string, port: number, database: string): string {
  return `postgresql://${user}:${password}@127.0.0.1:${port}/${database}`;
}

export function adminConnectionStringFor(state: ClusterState, port: number): string {
  return connectionStringFor(SUPERUSER, state.superuserPassword, port, 'postgres');
}

/**
 * Makes role and database `spine` if they are missing. The role is not a superuser, so that what the schema
 * forbids to it is forbidden: it may create databases and roles, see all activity and request checkpoints.
 */
export async function provision(state: ClusterState, port: number): Promise<void> {
  const client = new pg.Client({ connectionString: adminConnectionStringFor(state, port) });
  await client.connect();
  try {
    const role = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [APPLICATION_NAME]);
    const verb = role.rowCount === 0 ? 'CREATE' : 'ALTER';
    // The password is base64url of our own making: DDL takes no parameters, and nothing in it needs quoting.
    await client.query(
      `${verb} ROLE ${APPLICATION_NAME} WITH LOGIN CREATEDB CREATEROLE PASSWORD '${state.password}'`,
    );
    if (role.rowCount === 0) {
      await client.query(`GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO ${APPLICATION_NAME}`);
    }
    const database = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [APPLICATION_NAME]);
    if (database.rowCount === 0) {
      await client.query(`CREATE DATABASE ${APPLICATION_NAME} OWNER ${APPLICATION_NAME}`);
    }
  } finally {
    await client.end();
  }
}
