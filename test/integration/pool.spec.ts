/** Connections that break in somebody's hands. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';

let database: TestDatabase;
let pool: Pool;
let admin: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ connectionString: database.connectionString });
  admin = createPool({ connectionString: database.connectionString, role: null });
});
afterAll(async () => {
  await Promise.all([pool.end(), admin.end()]);
  await database.drop();
});

describe('a connection that breaks between two statements of a transaction', () => {
  it('fails the next statement and not the process', async () => {
    const client = await pool.connect();
    // Not events.once: it listens for errors, as nobody does.
    const ended = new Promise<void>((resolve) => client.on('end', resolve));
    await client.query('BEGIN');
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await admin.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
    client.release();
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
