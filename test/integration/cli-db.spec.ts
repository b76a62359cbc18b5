/** `spine db` on a real database: what it makes, tells, deletes and writes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createPool,
  databaseExists,
  majorVersionOf,
  readMigrations,
  findMigrationsDir,
} from '@spine/database';
import { createEmptyDatabase } from '@spine/testing';
import { spine } from './cli-support.ts';
import type { Ended } from './cli-support.ts';
import { openEngineDatabase, runOf, store } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';

let database: EngineDatabase;
let folder: string;
beforeAll(async () => {
  database = await openEngineDatabase();
  folder = mkdtempSync(join(tmpdir(), 'spine-db-'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.close();
});

function db(args: readonly string[], url = database.connectionString): Promise<Ended> {
  const env = { SPINE_DATABASE_URL: url };
  return spine(['db', ...args], { url: 'http://127.0.0.1:9', cwd: folder, env });
}

async function json(args: readonly string[], url?: string): Promise<Record<string, unknown>> {
  const { out, problem } = await db([...args, '--json'], url);
  expect(problem).toBe('');
  return JSON.parse(out) as Record<string, unknown>;
}

async function countOf(table: 'runs' | 'dead_letters'): Promise<number> {
  const { rows } = await database.admin.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table}`,
  );
  return rows[0]?.count ?? -1;
}

describe('db init', () => {
  it('makes the database, its schema and the queue once, and says beforehand what it would do', async () => {
    const empty = await createEmptyDatabase();
    const url = new URL(empty.connectionString);
    url.pathname = `/${empty.name}_new"quoted`;
    const wanted = url.toString();
    const files = readMigrations(findMigrationsDir()).map(({ name }) => name);
    try {
      expect(await json(['init', '--dry-run'], wanted)).toMatchObject({
        creates_database: true,
        pending: null,
      });
      expect(await databaseExists(wanted)).toBe(false);
      const refused = await db(['migrate'], wanted);
      expect(refused.code).toBe(2);
      expect(refused.problem).toContain('spine db init makes it');

      const made = await db(['init', '--json'], wanted);
      expect(JSON.parse(made.out)).toMatchObject({
        created_database: true,
        applied: files,
        queue: 'Postgres',
      });
      expect(made.problem).toContain('created the database');
      expect(await json(['migrate', '--dry-run'], wanted)).toMatchObject({
        creates_database: false,
        pending: [],
      });
      expect(await json(['init'], wanted)).toMatchObject({ created_database: false, applied: [] });
    } finally {
      const admin = createPool({ connectionString: empty.connectionString, role: null, max: 1 });
      await admin.query(`DROP DATABASE IF EXISTS "${empty.name}_new""quoted" WITH (FORCE)`);
      await admin.end();
      await empty.drop();
    }
  });

  it.each([['init'], ['status'], ['purge', '--older-than', '30'], ['backup', 'x.dump']])(
    'needs a server for %s, and does not repeat the password',
    async (...args) => {
      const url = new URL(database.connectionString);
      url.port = '1';
      url.password = 'canary-9d1c';
      const { code, problem } = await db(args, url.toString());
      expect(code).toBe(2);
      expect(problem).toMatch(/cannot be used: .*Check SPINE_DATABASE_URL/);
      expect(problem).not.toContain('canary');
    },
  );

  it('is what a database without a schema needs', async () => {
    const empty = await createEmptyDatabase();
    try {
      const status = await json(['status'], empty.connectionString);
      expect(status).toMatchObject({ schema: { version: 0, applied: [] }, tables: [], retention: [] });
      const purge = await db(['purge', '--older-than', '30'], empty.connectionString);
      expect([purge.code, purge.problem]).toEqual([2, expect.stringContaining('spine db migrate')]);
    } finally {
      await empty.drop();
    }
  });
});

describe('db status', () => {
  it('tells the schema, the sizes and what is kept', async () => {
    await addPastRuns(database.admin, { minutesAgo: 3 * DAY_MINUTES });
    const status = await json(['status']);
    const files = readMigrations(findMigrationsDir());
    expect(status['schema']).toMatchObject({ version: files.length, pending: [], problem: null });
    const tables = status['tables'] as { table: string; total_bytes: number }[];
    expect(tables.map(({ table }) => table)).toContain('run_events');
    expect(status['retention']).toContainEqual(
      expect.objectContaining({ table: 'runs', older_than_days: null, eligible: 1 }),
    );
    const people = await db(['status']);
    expect(people.out).toMatch(/^pending +nothing$/m);
    expect(people.out).toMatch(/^runs +until purged +1 /m);
  });

  it('tells what an older schema lacks', async () => {
    await database.admin.query('UPDATE schema_migrations SET version = version + 1000 WHERE version > 20');
    const ahead = await json(['status']);
    await database.admin.query('UPDATE schema_migrations SET version = version - 1000 WHERE version > 1000');
    expect(ahead['schema']).toMatchObject({
      problem: { type: 'unknown', migration: expect.any(String) as string },
    });
  });
});

describe('db purge', () => {
  it('deletes what is old when it is told so twice, and nothing that is needed', async () => {
    await database.clear();
    await addPastRuns(database.admin, { count: 3, minutesAgo: 40 * DAY_MINUTES });
    await addPastRuns(database.admin, { count: 2, minutesAgo: 10 * DAY_MINUTES });
    const letters = await addPastRuns(database.admin, {
      count: 2,
      minutesAgo: 40 * DAY_MINUTES,
      status: 'dead_lettered',
    });
    await resolvePast(database.admin, letters.slice(0, 1), 35 * DAY_MINUTES);
    await store(database.pool, [runOf()]);

    expect(await json(['purge', '--older-than', '30', '--dry-run'])).toMatchObject({
      eligible: 4,
      deleted: 0,
    });
    const unasked = await db(['purge', '--older-than', '30']);
    expect(unasked.code).toBe(2);
    expect(unasked.problem).toContain('--yes');
    expect(await countOf('runs')).toBe(8);

    expect(await json(['purge', '--older-than', '30', '--yes'])).toMatchObject({ eligible: 4, deleted: 4 });
    expect(await countOf('runs')).toBe(4);
    expect(await countOf('dead_letters')).toBe(1);
    expect(await json(['purge', '--older-than', '30', '--yes'])).toMatchObject({ eligible: 0, deleted: 0 });
  });

  it('deletes resolved dead letters, and keeps their runs', async () => {
    await database.clear();
    const letters = await addPastRuns(database.admin, {
      count: 3,
      minutesAgo: 40 * DAY_MINUTES,
      status: 'dead_lettered',
    });
    await resolvePast(database.admin, letters.slice(0, 2), 35 * DAY_MINUTES);
    const purge = ['purge', '--table', 'dead_letters', '--older-than', '30'];
    expect(await json([...purge, '--dry-run'])).toMatchObject({ eligible: 2 });
    expect(await json([...purge, '--yes'])).toMatchObject({ deleted: 2 });
    expect([await countOf('runs'), await countOf('dead_letters')]).toEqual([3, 1]);
  });

  it.each([
    [['--older-than', '5', '--table', 'quality_results', '--yes'], /2192/],
    [['--older-than', '0', '--yes'], /--older-than takes a whole number from 1 to 36500/],
    [['--yes'], /--older-than is required/],
    [['--older-than', '30', '--table', 'rejects', '--yes'], /Allowed choices are runs, dead_letters/],
  ])('refuses %j', async (args, why) => {
    const { code, problem } = await db(['purge', ...args]);
    expect(code).toBe(2);
    expect(problem).toMatch(why);
  });
});

describe('db backup', () => {
  it('writes what pg_restore reads, or says which pg_dump it takes', async () => {
    const said = spawnSync('pg_dump', ['--version'], { encoding: 'utf8' }).stdout as string | null;
    const version = majorVersionOf(said ?? '');
    const { rows } = await database.admin.query<{ server: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS server`,
    );
    const server = rows[0]?.server ?? 0;
    const file = join(folder, 'spine.dump');
    const { code, problem } = await db(['backup', 'spine.dump']);
    if (version !== null && version >= server) {
      expect({ code, problem }).toEqual({ code: 0, problem: '' });
      expect(readFileSync(file).subarray(0, 5).toString()).toBe('PGDMP');
      expect((await db(['backup', 'spine.dump'])).problem).toContain('overwrites nothing');
    } else {
      expect(code).toBe(2);
      expect(problem).toMatch(version === null ? /was not found/ : `of version ${version}, older than`);
      expect(problem).toContain('--pg-dump');
      expect(existsSync(file)).toBe(false);
    }
  });
});
