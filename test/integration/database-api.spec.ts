/** Questions of an operator's own, settings, migrations over HTTP, and lists that are turned page by page. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shownVariables } from '@spine/config';
import { createApp } from '@spine/api';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { loadSettings } from '@spine/config';
import { createEmptyDatabase, waitFor } from '@spine/testing';
import { anyNumber, anyText, listIn, startApi, textLike } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';
import { addPastRuns } from './history-support.ts';

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

const ask = (sql: string, more: object = {}): Promise<Answer> =>
  api.call('POST', '/api/v1/database/query', { json: { sql, ...more } });

async function answerTo(sql: string, more: object = {}): Promise<Json> {
  const { status, body, text } = await ask(sql, more);
  expect([status, text]).toEqual([200, text]);
  return body['data'] ?? {};
}

describe('a question of one’s own', () => {
  it('is answered with columns, their types, and values that JSON carries exactly', async () => {
    expect(
      await answerTo(`SELECT 1 AS a, 2.50::numeric(9,2) AS a, 9007199254740993::bigint AS big, true AS yes, NULL::text AS none,
        'x' AS word, '{"n": 12345678901234567890}'::jsonb AS wide, '"word"'::jsonb AS quoted, ARRAY[1, 2] AS list,
        timestamptz '2026-01-31 12:00+01' AS at, 'NaN'::float8 AS nan -- the last`),
    ).toEqual({
      columns: [
        { name: 'a', type: 'integer' },
        { name: 'a', type: 'numeric(9,2)' },
        { name: 'big', type: 'bigint' },
        { name: 'yes', type: 'boolean' },
        { name: 'none', type: 'text' },
        { name: 'word', type: 'text' },
        { name: 'wide', type: 'jsonb' },
        { name: 'quoted', type: 'jsonb' },
        { name: 'list', type: 'integer[]' },
        { name: 'at', type: 'timestamp with time zone' },
        { name: 'nan', type: 'double precision' },
      ],
      rows: [
        [
          1,
          '2.50',
          '9007199254740993',
          true,
          null,
          'x',
          '{"n": 12345678901234567890}',
          'word',
          [1, 2],
          '2026-01-31T11:00:00+00:00',
          'NaN',
        ],
      ],
      row_count: 1,
      truncated: null,
      duration_ms: anyNumber,
    });
  });

  it.each([
    ['TABLE lanes;', 0],
    ['VALUES (1), (2)', 2],
    ['WITH x AS (SELECT 1) SELECT * FROM x', 1],
    ['SHOW work_mem', 1],
    ['EXPLAIN SELECT * FROM runs', 1],
    ['SELECT', 1],
  ])('may be %s', async (sql, rows) => {
    const { row_count } = await answerTo(sql);
    expect(Number(row_count)).toBeGreaterThanOrEqual(rows);
  });

  it('ends with its limit of rows or bytes, and says so', async () => {
    const rows = await answerTo('SELECT generate_series(1, 11) AS n', { max_rows: 10 });
    expect([rows['row_count'], rows['truncated']]).toEqual([10, 'rows']);
    const all = await answerTo('SELECT generate_series(1, 10) AS n', { max_rows: 10 });
    expect([all['row_count'], all['truncated']]).toEqual([10, null]);
    const wide = await answerTo(`SELECT repeat('x', 3000000) FROM generate_series(1, 5)`);
    expect([wide['row_count'], wide['truncated']]).toEqual([2, 'bytes']);
  });

  it.each([
    ['several statements', 'SELECT 1; SELECT 2', '42601'],
    ['one that writes', `INSERT INTO lanes (lane) VALUES ('mine')`, '42601'],
    ['one that writes and answers', `INSERT INTO lanes (lane) VALUES ('mine') RETURNING lane`, '25006'],
    ['a WITH that writes', `WITH w AS (DELETE FROM lanes RETURNING 1) SELECT * FROM w`, '25006'],
    ['a row lock', 'SELECT * FROM runs FOR UPDATE', '25006'],
    ['another role', 'RESET ROLE', '42601'],
    ['another role by a function', `SELECT set_config('role', 'none', false)`, '42501'],
    [
      'another session user',
      `SELECT set_config('session_authorization', session_user::text, false)`,
      '42501',
    ],
    ['an end of reading only', `SELECT set_config('transaction_read_only', 'off', false)`, '25001'],
    ['hashes of keys', 'SELECT secret_hash FROM api_keys', '42501'],
    [
      'hashes of keys by a function',
      `SELECT query_to_xml('SELECT * FROM api_keys', true, false, '')`,
      '42501',
    ],
    [
      'hashes of keys as another role',
      `SELECT set_config('role', 'spine_app', true), query_to_xml('SELECT * FROM api_keys', true, false, '')`,
      '42501',
    ],
    ['the audit log', 'TABLE audit_log', '42501'],
    ['passwords', 'SELECT rolpassword FROM pg_authid', '42501'],
    ['a file', `SELECT pg_read_file('/etc/passwd')`, '42501'],
    ['a file by COPY', `COPY runs TO '/tmp/runs'`, '42601'],
    ['a large object', `SELECT lo_import('/etc/passwd')`, '42501'],
    ['somebody else’s session', 'SELECT pg_terminate_backend(pg_backend_pid())', '42501'],
    ['deleting by a function', `SELECT * FROM spine_purge_runs(interval '1 day', NULL, 10)`, '42501'],
    ['a block of code', 'DO $$ BEGIN END $$', '42601'],
    ['a table that is not there', 'SELECT *\nFROM nothing', '42p01'],
    ['a parameter', 'SELECT $1::int', '42p02'],
    ['nothing', ' -- nothing', '42601'],
  ])('that asks for %s is refused', async (_what, sql, state) => {
    const { status, body, text } = await ask(sql);
    expect([status, text]).toEqual([400, text]);
    expect(body).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'sql', code: `sqlstate_${state}` }],
    });
  });

  it('has written nothing, whatever was asked', async () => {
    const { rows } = await admin.query('SELECT 1 FROM lanes');
    expect(rows).toEqual([]);
  });

  it('says where in the statement it was not understood', async () => {
    const { body } = await ask(`SELECT '😀',\n  nothing`);
    expect(listIn(body['errors'])).toMatchObject([{ line: 2, column: 3, code: 'sqlstate_42703' }]);
  });

  it('that takes too long is ended, also when it lifts its own limit', async () => {
    const { status, body } = await ask(`SELECT set_config('statement_timeout', '0', false), pg_sleep(600)`, {
      timeout_seconds: 1,
    });
    expect([status, listIn(body['errors'])]).toMatchObject([
      400,
      [{ field: 'timeout_seconds', code: 'timed_out' }],
    ]);
  });

  const underWay = async (): Promise<number> => {
    const { rows } = await admin.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%spine_ask%' AND state = 'active'
         AND pid <> pg_backend_pid()`,
    );
    return rows.length;
  };

  it('whose client hangs up is cancelled; no more than two are answered at a time', async () => {
    const hangUp = new AbortController();
    const slow = [1, 2].map(() =>
      fetch(`${api.url}/api/v1/database/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sql: 'SELECT pg_sleep(600)', timeout_seconds: 30 }),
        signal: hangUp.signal,
      }).catch(() => null),
    );
    await waitFor(async () => (await underWay()) === 2);
    const third = await ask('SELECT 1');
    expect([third.status, third.body['code']]).toEqual([429, 'RATE_LIMITED']);
    hangUp.abort();
    await Promise.all(slow);
    await waitFor(async () => (await underWay()) === 0);
    await waitFor(async () => (await ask('SELECT 1')).status === 200);
  });

  it('stands in the audit log, refused or not', async () => {
    await ask('SELECT 41 + 1');
    await ask('DROP TABLE runs');
    const { body } = await api.call('GET', '/api/v1/audit?limit=2&route=%2Fapi%2Fv1%2Fdatabase%2Fquery');
    expect(listIn(body['data'])).toMatchObject([
      { status: 400, after: { sql: 'DROP TABLE runs' } },
      { status: 200, after: { sql: 'SELECT 41 + 1' } },
    ]);
  });

  it.each([
    [{ sql: '' }, 'sql'],
    [{ sql: 'SELECT 1', max_rows: 10_001 }, 'max_rows'],
    [{ sql: 'SELECT 1', timeout_seconds: 31 }, 'timeout_seconds'],
    [{ sql: 'SELECT 1', role: 'postgres' }, 'role'],
  ])('%j names the field', async (json, field) => {
    const { status, body } = await api.call('POST', '/api/v1/database/query', { json });
    expect([status, listIn(body['errors'])]).toMatchObject([400, [{ field }]]);
  });

  it('reads every table but those that are kept from it on purpose', async () => {
    const { rows } = await admin.query<{ table: string }>(
      `SELECT c.relname AS table FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
         AND NOT has_table_privilege('spine_reader', c.oid, 'SELECT') ORDER BY 1`,
    );
    // A table of a later migration is granted there: GRANT SELECT ON … TO spine_reader; or it is named here, with its reason.
    expect(rows.map(({ table }) => table)).toEqual([
      'api_keys', // hashes of keys
      'audit_log', // who did what, from which address
    ]);
    const writable = await admin.query(
      `SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')
         AND has_table_privilege('spine_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')`,
    );
    expect(writable.rows).toEqual([]);
  });
});

describe('GET /database/config', () => {
  it('tells settings with their sources, and no secret', async () => {
    const env = {
      SPINE_DATABASE_URL: api.database.connectionString,
      SPINE_API_KEYS: 'bootstrap-key-of-a-test',
      SPINE_LOG_LEVEL: 'warn',
      SPINE_PORT: '0',
    };
    const merged = new Map(
      Object.entries(env).map(([name, value]) => [name, { value, source: 'environment' }]),
    );
    const settings = loadSettings(env, { role: 'api' });
    const variables = shownVariables({ merged });
    const app = await createApp({ settings, engine: api.engine, variables });
    const response = await app.fastify.inject({
      url: '/api/v1/database/config',
      headers: { 'x-api-key': env.SPINE_API_KEYS },
    });
    await app.close(0);
    expect(response.statusCode).toBe(200);
    const { data } = response.json<{ data: Json }>();
    expect(data).toMatchObject({ tier: settings.tier, mode: 'keys' });
    const named = (list: string, name: string) =>
      listIn(data[list]).find((each) => String(each['name']) === name);
    expect(named('settings', 'SPINE_LOG_LEVEL')).toMatchObject({ value: 'warn', source: 'environment' });
    expect(named('settings', 'SPINE_HOST')).toMatchObject({
      value: '127.0.0.1',
      source: 'default',
      meaning: anyText,
    });
    expect(named('settings', 'SPINE_DATABASE_URL')).toMatchObject({ value: '[REDACTED]' });
    expect(named('server', 'synchronous_commit')).toMatchObject({ value: anyText, source: anyText });
    const { password } = new URL(api.database.connectionString);
    for (const secret of [env.SPINE_API_KEYS, password].filter((text) => text !== '')) {
      expect(response.body).not.toContain(secret);
    }
  });
});

describe('POST /database/init', () => {
  it('applies what is pending as the owner, and says how where there is none', async () => {
    const empty = await createEmptyDatabase();
    const url = empty.connectionString;
    const without = await startApi({ databaseUrl: url });
    const owner = await startApi({ databaseUrl: url, env: { SPINE_ADMIN_DATABASE_URL: url } });
    const init = (of: Api, dry_run: boolean) =>
      of.call('POST', '/api/v1/database/init', { json: { dry_run } });
    try {
      const dry = (await init(without, true)).body['data'];
      expect(dry).toMatchObject({ dry_run: true, version: 0, applied: [], may_apply: false });
      const pending = listIn(dry?.['pending']).map(String);
      expect(pending[0]).toBe('0001_runs.sql');
      const refused = await init(without, false);
      expect([refused.status, refused.body['code'], refused.body['detail']]).toEqual([
        403,
        'FORBIDDEN',
        textLike(/spine migrate.*SPINE_ADMIN_DATABASE_URL/),
      ]);
      expect((await init(owner, true)).body['data']).toMatchObject({ pending, may_apply: true });
      const done = { dry_run: false, pending, applied: pending, version: pending.length };
      expect((await init(owner, false)).body['data']).toMatchObject(done);
      expect((await init(without, false)).body['data']).toMatchObject({ pending: [], applied: [] });
      const behind = createPool({ connectionString: url, role: null, max: 1 });
      await behind.query(`UPDATE schema_migrations SET checksum = 'x' WHERE version = 2`);
      await behind.end();
      const edited = await init(owner, false);
      expect([edited.status, edited.body['detail']]).toEqual([409, textLike(/0002_ledger.sql was changed/)]);
    } finally {
      await owner.close();
      await without.close();
      await empty.drop();
    }
  });
});

/** Every item of a list, page by page, and the number of pages. */
async function turned(path: string, id: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null;) {
    const { status, body, text } = await api.call(
      'GET',
      `${path}${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    expect([status, text]).toEqual([200, text]);
    ids.push(...listIn(body['data']).map((item) => String(item[id])));
    const next: Json | undefined = body['page']?.['next_cursor'];
    cursor = next === null || next === undefined ? null : String(next);
    pages += 1;
  }
  return { ids, pages };
}

describe('page by page', () => {
  it('dead letters come newest first, each once, also those of one moment and a microsecond apart', async () => {
    const runs = await addPastRuns(admin, { count: 7, status: 'dead_lettered', events: false });
    await admin.query(`UPDATE dead_letters SET created_at = '2026-01-01 00:00:00.000001+00'`);
    await admin.query(
      `UPDATE dead_letters SET created_at = created_at + interval '1 microsecond' WHERE run_id = ANY ($1)`,
      [runs.slice(0, 3)],
    );
    const expected = await admin.query<{ id: string }>(
      'SELECT id FROM dead_letters ORDER BY created_at DESC, id DESC',
    );
    expect(await turned('/api/v1/dlq?limit=2', 'dead_letter_id')).toEqual({
      ids: expected.rows.map(({ id }) => id),
      pages: 4,
    });
  });

  it('tables come the largest first, each once', async () => {
    const all = await api.call('GET', '/api/v1/database/tables?limit=1000');
    const tables = listIn(all.body['data']).map((each) => String(each['table']));
    const { ids, pages } = await turned('/api/v1/database/tables?limit=20', 'table');
    expect([[...ids].sort(), pages]).toEqual([[...tables].sort(), Math.ceil(tables.length / 20)]);
  });

  it.each(['/api/v1/dlq', '/api/v1/database/tables'])('%s takes no cursor of another list', async (path) => {
    const foreign = Buffer.from('runs:x').toString('base64url');
    for (const cursor of [foreign, 'x', Buffer.from('dlq:1/not-an-id').toString('base64url')]) {
      const { status, body } = await api.call('GET', `${path}?cursor=${cursor}`);
      expect([status, listIn(body['errors'])]).toMatchObject([400, [{ field: 'cursor' }]]);
    }
  });
});
