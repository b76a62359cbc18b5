/** What the database says of itself, vacuuming on request, and deleting what is old of the ledger over HTTP. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LEDGER_TABLES } from '@spine/core';
import { createPool, listIndexes, listTables, vacuumTable } from '@spine/database';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { anyNumber, anyText, listIn, startApi, textLike } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { openTransaction } from './engine-support.ts';

let api: Api;
let admin: Pool;
beforeAll(async () => {
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 3 });
});
afterAll(async () => {
  await admin.end();
  await api.close();
});

async function data(method: string, path: string, json?: unknown): Promise<Json> {
  const answer = await api.call(method, `/api/v1/database/${path}`, json === undefined ? {} : { json });
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  const body = answer.body['data'];
  if (body === undefined) throw new Error('no data');
  return body;
}

const named = (rows: unknown, field: string, name: string): Json | undefined =>
  listIn(rows).find((row) => String(row[field]) === name);

describe('the database', () => {
  it('tells how it is doing', async () => {
    const health = await data('GET', 'health');
    expect(health).toEqual({
      status: textLike(/^(ok|degraded)$/),
      problems: expect.any(Array) as Json,
      server_version: textLike(/^\d+\.\d+/),
      size_bytes: anyNumber,
      connections: anyNumber,
      max_connections: anyNumber,
      waiting_for_locks: anyNumber,
      cache_hit_ratio: anyNumber,
      deadlocks: anyNumber,
      transaction_age: anyNumber,
      now: anyText,
    });
    expect(Number(health['connections'])).toBeGreaterThan(0);
    expect(Number(health['size_bytes'])).toBeGreaterThan(1_000_000);
  });

  it('tells its tables with their sizes, the largest first, page by page', async () => {
    const tables = listIn(await data('GET', 'tables?limit=1000'));
    const sizes = tables.map((table) => Number(table['total_bytes']));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    const runs = named(tables, 'table', 'runs');
    expect(runs).toMatchObject({ live_rows: 0, dead_rows: 0, dead_ratio: 0, hint: 'none' });
    expect(Number(runs?.['index_bytes'])).toBeGreaterThan(0);
    const page = await api.call('GET', '/api/v1/database/tables?limit=2&offset=1');
    const names = (of: readonly Json[]) => of.map((table) => table['table']);
    expect(names(listIn(page.body['data']))).toEqual(names(tables.slice(1, 3)));
    expect(page.body['page']).toMatchObject({ total: tables.length, has_more: true });
  });

  it('counts what is dead, and says when a vacuum is due', async () => {
    const client = await admin.connect();
    await client.query(`ALTER TABLE lanes SET (autovacuum_enabled = false)`);
    await client.query(`INSERT INTO lanes (lane) SELECT 'l' || n FROM generate_series(1, 1500) n`);
    await client.query(`DELETE FROM lanes`);
    // A session that ends says at once what it has done; an idle one after ten seconds.
    client.release(true);
    const lanes = async () => (await listTables(api.engine.db)).find(({ table }) => table === 'lanes');
    await waitFor(async () => (await lanes())?.deadRows === 1_500);
    expect(await lanes()).toMatchObject({ liveRows: 0, deadRatio: 1, hint: 'vacuum', lastVacuumAt: null });
    const vacuumed = await data('POST', 'vacuum', { table: 'lanes' });
    expect(vacuumed).toEqual({
      table: 'lanes',
      duration_ms: anyNumber,
      dead_rows_before: 1_500,
      bytes_before: anyNumber,
      bytes_after: anyNumber,
    });
    await waitFor(async () => (await lanes())?.deadRows === 0);
    expect((await lanes())?.lastVacuumAt).toBeInstanceOf(Date);
  });

  it('tells the indexes that nothing needs, and never one that enforces something', async () => {
    await admin.query(
      'CREATE TABLE measured (id int PRIMARY KEY, a int, b int, EXCLUDE USING gist (b WITH =))',
    );
    await admin.query('CREATE INDEX measured_unused ON measured (a)');
    const unused = listIn(await data('GET', 'indexes?limit=1000'));
    expect(named(unused, 'index', 'measured_unused')).toMatchObject({
      table: 'measured',
      scans: 0,
      enforces: false,
      unused: true,
      definition: textLike(/USING btree \(a\)/),
    });
    expect(unused.every((index) => String(index['enforces']) === 'false')).toBe(true);
    const all = listIn(await data('GET', 'indexes?unused=false&limit=1000'));
    for (const name of ['measured_pkey', 'measured_b_excl']) {
      expect(named(all, 'index', name)).toMatchObject({ enforces: true, unused: false });
    }
    // Used once, and it is needed.
    const client = await admin.connect();
    await client.query('SET enable_seqscan = off');
    await client.query('SELECT 1 FROM measured WHERE a = 1');
    client.release(true);
    await waitFor(async () => {
      const { indexes } = await listIndexes(api.engine.db, true);
      return !indexes.some(({ index }) => index === 'measured_unused');
    });
  });

  it('tells its schema', async () => {
    const schema = await data('GET', 'schema');
    const facts = named(schema['tables'], 'table', 'bitemporal_facts');
    expect(named(facts?.['columns'], 'column', 'valid_to')).toEqual({
      column: 'valid_to',
      type: 'timestamp with time zone',
      nullable: true,
      default: null,
    });
    expect(named(facts?.['constraints'], 'constraint', 'bitemporal_facts_one_belief')).toMatchObject({
      definition: textLike(/^EXCLUDE USING gist/),
    });
    expect(listIn(facts?.['triggers']).some((trigger) => String(trigger).includes('append_only'))).toBe(true);
  });
});

describe('vacuuming', () => {
  it('takes only tables that there are; what is asked for is never part of a statement', async () => {
    for (const table of ['nothing', 'runs; DROP TABLE runs', '"runs"', 'public.runs', 'pg_class', 'RUNS']) {
      const answer = await api.call('POST', '/api/v1/database/vacuum', { json: { table } });
      expect([table, answer.status, answer.body['code']]).toEqual([table, 400, 'VALIDATION_FAILED']);
      expect(listIn(answer.body['errors'])).toMatchObject([{ field: 'table', code: 'unknown_table' }]);
    }
    await admin.query('CREATE TABLE "odd ""name; --" (a int)');
    expect(await data('POST', 'vacuum', { table: 'odd "name; --' })).toMatchObject({
      table: 'odd "name; --',
    });
  });

  it('says that a table is held by somebody else', async () => {
    const other = await openTransaction(admin);
    await other.client.query('LOCK TABLE breakers IN SHARE UPDATE EXCLUSIVE MODE');
    const answer = await api.call('POST', '/api/v1/database/vacuum', { json: { table: 'breakers' } });
    await other.end('ROLLBACK');
    expect([answer.status, answer.body['code']]).toEqual([423, 'LOCKED']);
  });

  it('says that the role may not, instead of leaving the table out without a word', async () => {
    const role = `spine_test_${randomBytes(6).toString('hex')}`;
    await admin.query('CREATE TABLE owned (a int)');
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' IN ROLE spine_app`);
    try {
      const url = new URL(api.database.connectionString);
      url.username = role;
      url.password = 'x';
      const vacuum = () => vacuumTable(url.toString(), 'owned');
      expect(await vacuum()).toEqual({ type: 'not_permitted', table: 'owned', role });
      const version = await admin.query<{ at: number }>(
        `SELECT current_setting('server_version_num')::int AS at`,
      );
      // Before that only an owner may.
      const grant =
        (version.rows[0]?.at ?? 0) >= 170_000 ? 'GRANT MAINTAIN ON owned TO' : 'ALTER TABLE owned OWNER TO';
      await admin.query(`${grant} ${role}`);
      expect(await vacuum()).toMatchObject({ type: 'vacuumed' });
    } finally {
      await admin.query(`DROP OWNED BY ${role}`);
      await admin.query(`DROP ROLE ${role}`);
    }
  });
});

describe('deleting what is old of the ledger', () => {
  const addItems = (daysAgo: number, count: number) =>
    admin.query(
      `INSERT INTO work_items (id, domain, workflow, partition_key, state, completed_at, created_at)
       SELECT overlay(gen_random_uuid()::text placing left(spine_run_id_at(t)::text, 13) from 1 for 13)::uuid, 'd', 'w',
         gen_random_uuid()::text, 'COMPLETE', t, t
       FROM (SELECT now() - $1::int * interval '1 day' AS t) t, generate_series(1, $2::int)`,
      [daysAgo, count],
    );

  it('is reported by table, counted when asked, and done when said so', async () => {
    await addItems(40, 3);
    await addItems(100, 2);
    const report = listIn(await data('GET', 'retention'));
    expect(report.map((row) => String(row['table']))).toEqual([...LEDGER_TABLES]);
    expect(named(report, 'table', 'work_items')).toMatchObject({
      keep: 'at_least',
      minimum_days: 30,
      eligible: 5,
    });
    expect(named(report, 'table', 'rejects')).toMatchObject({
      keep: 'forever',
      minimum_days: null,
      eligible: null,
    });
    const asked = { table: 'work_items', older_than_days: 60 };
    const answer = {
      ...asked,
      dry_run: true,
      eligible: 2,
      eligible_is_capped: false,
      deleted: 0,
      next_after: null,
    };
    expect(await data('POST', 'purge', asked)).toEqual(answer);
    expect(await data('POST', 'purge', { ...asked, dry_run: false })).toEqual({
      ...answer,
      dry_run: false,
      deleted: 2,
    });
    expect(await data('POST', 'purge', asked)).toEqual({ ...answer, eligible: 0 });
  });

  it.each([
    [{ table: 'work_items', older_than_days: 29 }, 'older_than_days', 'under_minimum'],
    [{ table: 'rejects', older_than_days: 36_500 }, 'table', 'kept_forever'],
    [{ table: 'anomalies', older_than_days: 36_500 }, 'table', 'kept_forever'],
    [{ table: 'runs', older_than_days: 90 }, 'table', 'unknown_table'],
    [{ table: 'work_items', older_than_days: 36_501 }, 'older_than_days', 'too_big'],
    [{ table: 'work_items' }, 'older_than_days', 'required'],
  ])('%j is refused for %s: %s', async (json, field, code) => {
    const answer = await api.call('POST', '/api/v1/database/purge', { json: { ...json, dry_run: false } });
    expect([answer.status, answer.text]).toEqual([400, answer.text]);
    expect(listIn(answer.body['errors'])).toMatchObject([{ field, code }]);
  });
});
