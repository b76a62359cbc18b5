/**
 * No endpoint reads a large table from end to end: every GET there is, by the document that the API makes of itself, with the
 * statements that it really sends. A new endpoint is among them without being named.
 *
 * The tables of runs are filled, and Postgres plans as it would. The others are empty, where reading them whole is right; of
 * these it is asked what it would do if it were not.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOpenApiDocument } from '@spine/api';
import { createPool, SEARCH_LIMIT } from '@spine/database';
import type { Pool } from '@spine/database';
import { listIn, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { defaultReads, recordStatements, scannedTables, statusOf } from './endpoint-plans-support.ts';
import type { Recorder } from './endpoint-plans-support.ts';
import { addPastRuns, resolvePast } from './history-support.ts';

/** Filled here: Postgres judges them by their size. */
const LARGE = new Set(['runs', 'run_events', 'dead_letters']);

/** Tables that may be read whole, because they stay small, and what keeps them so. */
const SMALL: Readonly<Record<string, string>> = {
  lanes: 'a row for each lane that was ever paused',
  playground_sessions: 'sessions expire and are swept; a user has a few',
  run_events_event_id_seq: 'a sequence is one row',
  workflows: 'a row for each name that was published',
  pg_authid: 'roles of the server',
  pg_database: 'databases of the server',
};

const RUNS = 100_000;

let api: Api;
let admin: Pool;
let recorder: Recorder;
const ids = new Map<string, string>();

/** Runs of the last 30 days, evenly; nothing looks at them one by one. */
async function fillRuns(): Promise<void> {
  await admin.query('ALTER TABLE runs DISABLE TRIGGER USER');
  await admin.query(
    `INSERT INTO runs (id, kind, name, lane, priority, status, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, attempt, epoch, available_at, created_at, started_at, completed_at)
     SELECT overlay(gen_random_uuid()::text placing left(spine_run_id_at(t)::text, 14) || '7' from 1 for 15)::uuid,
       'task', CASE WHEN n <= 3 THEN 'seldom' ELSE 'handler_' || n % 50 END, 'default', 2, 'completed', '{"n": 1}', 'api', '{}', '{}', 4, 0, 1000, true, 1, 1, t, t, t, t
     FROM (SELECT n, now() - (${RUNS} - n) * interval '26 seconds' AS t FROM generate_series(1, ${RUNS}) n) s`,
  );
  await admin.query('ALTER TABLE runs ENABLE TRIGGER USER');
}

beforeAll(async () => {
  recorder = recordStatements();
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 1 });
  await fillRuns();
  const letters = await addPastRuns(admin, { count: 4_000, minutesAgo: 90, status: 'dead_lettered' });
  await resolvePast(admin, letters.slice(0, 3_900), 60 * 24 * 60);
  const running = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
  await admin.query('VACUUM ANALYZE runs, run_events, dead_letters');
  ids.set('run_id', String(running.body['data']?.['run_id']));
  const { rows } = await admin.query<{ id: string }>('SELECT id FROM dead_letters LIMIT 1');
  ids.set('dead_letter_id', rows[0]?.id ?? '');
});
afterAll(async () => {
  recorder.stop();
  await admin.end();
  await api.close();
});

/** Answers the path, and tells what it reads whole and may not. */
async function scansOf(
  path: string,
): Promise<{ readonly status: number; readonly scans: readonly string[] }> {
  recorder.take();
  const status = await statusOf(api.url, path);
  const scans: string[] = [];
  for (const statement of recorder.take()) {
    const natural = await scannedTables(admin, statement, { seqScan: true });
    const forced = await scannedTables(admin, statement, { seqScan: false });
    const wrong = [
      ...natural.filter((table) => LARGE.has(table)),
      ...forced.filter((table) => !LARGE.has(table)),
    ];
    for (const table of wrong.filter((each) => SMALL[each] === undefined))
      scans.push(`${table}: ${statement.text}`);
  }
  return { status, scans };
}

describe('without a filter', () => {
  const reads = defaultReads;
  it.each(reads)('GET $pattern reads no large table whole', async ({ pattern, pathFor }) => {
    const { status, scans } = await scansOf(pathFor(ids));
    expect(scans).toEqual([]);
    // It was asked something it understands; what is not there is looked for as well.
    expect([pattern, [200, 400, 404, 409].includes(status)]).toEqual([pattern, true]);
  });

  it('is every endpoint there is', async () => {
    const { paths } = await buildOpenApiDocument();
    const gets = Object.keys(paths).filter((path) => paths[path]?.get !== undefined);
    expect(reads.map(({ pattern }) => pattern).sort()).toEqual(gets.sort());
    expect(gets.length).toBeGreaterThan(90);
  });
});

describe('with a filter that few or none match', () => {
  it.each([
    'name=nobody',
    'kind=step',
    'lane=nowhere',
    'tag=nothing',
    'correlation_id=none',
    'batch_id=none',
    'workflow=nobody',
    'workflow=nobody&status=failed',
    'parent_run_id=019a0000-0000-7000-8000-000000000001',
    'status=running',
    'status=queued',
    'status=pending',
    'status=paused',
    'status=failed,timed_out',
    'status=dead_lettered',
    'since=2026-01-01T00:00:00Z',
    'until=2026-01-01T00:00:00Z',
  ])('GET /runs?%s reads no large table whole', async (query) => {
    expect(await scansOf(`/api/v1/runs?${query}`)).toEqual({ status: 200, scans: [] });
  });

  it.each([
    'handler=nobody',
    'error_category=PARSE',
    'resolved=true',
    'resolved=false',
    'since=2026-01-01T00:00:00Z',
  ])('GET /dlq?%s reads no large table whole', async (query) => {
    expect(await scansOf(`/api/v1/dlq?${query}`)).toEqual({ status: 200, scans: [] });
  });
});

describe('a search that no index answers', () => {
  it('ends after so many runs, says so, and goes on where it ended: nothing is lost, nothing comes twice', async () => {
    const found: string[] = [];
    const pages: unknown[] = [];
    for (let cursor = ''; ;) {
      const { body } = await api.call('GET', `/api/v1/runs?name=seldom&limit=2${cursor}`);
      found.push(...listIn(body['data']).map(({ run_id }) => String(run_id)));
      const { next_cursor, has_more, total, total_is_capped } = body['page'] ?? {};
      pages.push([
        listIn(body['data']).length,
        has_more,
        listIn(body['warnings']).length,
        total,
        total_is_capped,
      ]);
      if (next_cursor === undefined || next_cursor === null) break;
      cursor = `&cursor=${String(next_cursor)}`;
    }
    const { rows } = await admin.query<{ id: string }>(
      `SELECT id FROM runs WHERE name = 'seldom' ORDER BY id DESC`,
    );
    expect(found).toEqual(rows.map(({ id }) => id));
    expect(pages).toEqual([
      ...Array.from({ length: Math.floor(RUNS / SEARCH_LIMIT) }, () => [0, true, 1, 0, true]),
      [2, true, 0, 0, true],
      [1, false, 0, 0, true],
    ]);
  });

  it('fills its page and ends where matches are many', async () => {
    const { body } = await api.call('GET', '/api/v1/runs?name=handler_7&limit=5');
    expect([listIn(body['data']).length, listIn(body['warnings']).length]).toEqual([5, 0]);
    expect(body['page']).toMatchObject({ has_more: true, total_is_capped: true });
  });
});

describe('this test', () => {
  const judged = (text: string, seqScan = true) =>
    scannedTables(admin, { text, values: [], mode: 'force_custom_plan' }, { seqScan });

  it('sees a table that is read whole, and not one that a limit ends', async () => {
    expect(await judged(`SELECT * FROM runs WHERE submitted_by = 'x'`)).toEqual(['runs']);
    expect(await judged('SELECT count(*) FROM run_events WHERE terminal IS NOT NULL')).toEqual([
      'run_events',
    ]);
    expect(await judged(`SELECT * FROM runs WHERE params ->> 'n' = '2' LIMIT 1`)).toEqual(['runs']);
    expect(await judged('SELECT count(*) FROM (SELECT 1 FROM runs LIMIT 10) r')).toEqual([]);
    expect(await judged('SELECT * FROM runs ORDER BY id DESC LIMIT 10')).toEqual([]);
    expect(await judged(`SELECT * FROM workflows WHERE source = 'x'`, false)).toEqual(['workflows']);
    expect(await judged(`SELECT * FROM workflows WHERE name = 'x'`, false)).toEqual([]);
  });

  it('records what an endpoint sends, from whichever pool', async () => {
    recorder.take();
    await statusOf(api.url, '/api/v1/deploy/status');
    const sent = recorder.take();
    expect(sent.some(({ text }) => text.includes('FROM service_processes'))).toBe(true);
    expect(new Set(sent.map(({ mode }) => mode))).toEqual(new Set(['force_generic_plan']));
    await statusOf(api.url, '/api/v1/runs?name=echo');
    expect(recorder.take().map(({ mode }) => mode)).toContain('force_custom_plan');
  });
});
