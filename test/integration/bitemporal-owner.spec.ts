/** The migrations need no superuser: the owner of a database may create the one extension they use. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPool, runMigrations } from '@spine/database';
import type { Pool } from '@spine/database';
import { createEmptyDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';

const role = `spine_test_${randomBytes(6).toString('hex')}`;
let database: TestDatabase;
let admin: Pool;
beforeAll(async () => {
  database = await createEmptyDatabase();
  admin = createPool({ connectionString: database.connectionString, role: null, max: 1 });
  await admin.query(`CREATE ROLE ${role} LOGIN NOSUPERUSER CREATEROLE PASSWORD 'x'`);
  // What the migrations do where they create the roles; these are there from the other databases of this server.
  await admin.query(`GRANT spine_app, spine_reader TO ${role}`);
  await admin.query(`ALTER DATABASE ${database.name} OWNER TO ${role}`);
});
afterAll(async () => {
  await admin.query(`ALTER DATABASE ${database.name} OWNER TO CURRENT_USER`);
  await admin.query(`DROP OWNED BY ${role} CASCADE`);
  await admin.query(`DROP ROLE ${role}`);
  await admin.end();
  await database.drop();
});

it('migrates as an owner who is no superuser', async () => {
  const url = new URL(database.connectionString);
  url.username = role;
  url.password = 'x';
  const { applied } = await runMigrations({ connectionString: url.toString() });
  expect(applied).toContain('0011_assets_bitemporal.sql');
  const { rows } = await admin.query(
    `SELECT pg_get_userbyid(c.relowner) AS owner, (SELECT extname FROM pg_extension WHERE extname = 'btree_gist') AS extension
     FROM pg_class c WHERE relname = 'bitemporal_facts'`,
  );
  expect(rows).toEqual([{ owner: role, extension: 'btree_gist' }]);
});
