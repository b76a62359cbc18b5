/** The one-shot migration of the containers, as a process. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '@spine/testing';
import { projectFile } from './compose-file.ts';

const NAMES = readdirSync(projectFile('migrations')).sort();

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function migrate(env: Readonly<Record<string, string>>): Promise<Ended> {
  const args = ['--conditions=@spine/source', projectFile('libs/database/src/bin/migrate.ts')];
  const { PATH = '' } = process.env;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { env: { PATH, ...env } }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** What it logged, as objects without time and process. */
function lines({ stdout }: Ended): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { time: _time, pid: _pid, level: _level, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
}

let database: TestDatabase;

beforeEach(async () => {
  database = await createEmptyDatabase();
});

afterEach(async () => {
  await database.drop();
});

async function applied(): Promise<string[]> {
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      'SELECT name FROM schema_migrations ORDER BY version',
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

const upToDate = (count: number) => ({
  service: 'migrate',
  schema_version: NAMES.length,
  applied: count,
  msg: 'the database is up to date',
});

describe('libs/database/src/bin/migrate.ts', () => {
  it('applies every migration, says which, and nothing the second time', async () => {
    const env = { SPINE_DATABASE_URL: database.connectionString };
    const first = await migrate(env);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(lines(first)).toEqual([
      ...NAMES.map((migration) => ({ service: 'migrate', migration, msg: 'applying' })),
      upToDate(NAMES.length),
    ]);
    expect(await applied()).toEqual(NAMES);
    const second = await migrate(env);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(lines(second)).toEqual([upToDate(0)]);
  });

  it('may run twice at once', async () => {
    const env = { SPINE_DATABASE_URL: database.connectionString };
    const both = await Promise.all([migrate(env), migrate(env)]);
    expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const counts = both.map((ended) => Number(lines(ended).at(-1)?.['applied']));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(NAMES.length);
    expect(await applied()).toEqual(NAMES);
  });

  it('warns of a variable that means nothing', async () => {
    const ended = await migrate({ SPINE_DATABASE_URL: database.connectionString, SPINE_DATABASE_URI: 'x' });
    expect(ended.code).toBe(0);
    expect(lines(ended)[0]?.['msg']).toContain('SPINE_DATABASE_URI is not a Spine setting');
  });

  it('fails without a database, naming the variable', async () => {
    const { code, stderr } = await migrate({});
    expect(code).toBe(1);
    expect(stderr).toContain('SPINE_DATABASE_URL: not set');
  });

  it('fails with the reason, and without the password, when the server refuses', async () => {
    const url = new URL(database.connectionString);
    url.username = 'nobody_of_this_name';
    url.password = 'pass-w0rd-that-stays-here';
    const { code, stdout, stderr } = await migrate({ SPINE_DATABASE_URL: url.toString() });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^migrate: .*nobody_of_this_name/);
    expect(stderr).not.toContain('pass-w0rd');
  });

  it('passes on what the server says besides its message', async () => {
    const client = new pg.Client({ connectionString: database.connectionString });
    await client.connect();
    try {
      await client.query('CREATE TABLE schema_migrations (version integer, name text, checksums text)');
    } finally {
      await client.end();
    }
    const { code, stderr } = await migrate({ SPINE_DATABASE_URL: database.connectionString });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^migrate: column "checksum" does not exist\n {2}Perhaps you meant .*checksums/);
  });
});
