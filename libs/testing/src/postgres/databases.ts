import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { TestInfrastructureError } from '../errors.ts';

/** A database of one test file. */
export interface TestDatabase {
  /** For the role the tests run as, who owns the database. */
  readonly connectionString: string;
  readonly name: string;
  /** Removes it; connections that are still open are cut. May be called again. */
  drop(): Promise<void>;
}

/** The connection string of another database of the same server. */
export function connectionStringTo(connectionString: string, database: string): string {
  const url = new URL(connectionString);
  url.pathname = `/${database}`;
  return url.toString();
}

/** @throws TestInfrastructureError when the server does not answer, or the role may not create databases. */
export async function checkPostgres(server: string): Promise<void> {
  try {
    const sql = 'SELECT rolcreatedb OR rolsuper AS may_create FROM pg_roles WHERE rolname = current_user';
    const [role] = await withClient(server, async (client) => {
      return (await client.query<{ may_create: boolean }>(sql)).rows;
    });
    if (role?.may_create !== true) throw new Error('its role may not create databases');
  } catch (error) {
    // The connection string holds a password: it is not repeated.
    throw new TestInfrastructureError(`the Postgres for the tests cannot be used: ${String(error)}`, {
      cause: error,
    });
  }
}

/** Names of databases are of our own making: lower case letters, digits and underscores, nothing to quote. */
export function databaseName(runId: string, suffix: string): string {
  return `spine_test_${runId}_${suffix}`;
}

/**
 * Creates a database as a copy of `template`. Any number may be copied at once, as long as nobody is connected to the
 * template.
 */
export async function createDatabase(server: string, runId: string, template: string): Promise<TestDatabase> {
  const name = databaseName(runId, randomBytes(6).toString('hex'));
  await execute(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    connectionString: connectionStringTo(server, name),
    name,
    drop: () => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Creates the run's template with `migrate`, and closes it: nobody can connect to it, so nobody can change it. */
export async function createTemplate(
  server: string,
  runId: string,
  migrate: (connectionString: string) => Promise<unknown>,
): Promise<string> {
  const name = databaseName(runId, 'template');
  await execute(server, `CREATE DATABASE ${name} TEMPLATE template0`);
  await migrate(connectionStringTo(server, name));
  await execute(server, `ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS false`);
  return name;
}

/** Drops every database of the run, the template too. */
export async function dropDatabases(server: string, runId: string): Promise<void> {
  await withClient(server, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
      [databaseName(runId, '')],
    );
    for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
  });
}

async function execute(server: string, statement: string): Promise<void> {
  await withClient(server, (client) => client.query(statement));
}

async function withClient<T>(server: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: server, application_name: 'spine-testing' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
