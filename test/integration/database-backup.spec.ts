/**
 * Backups over HTTP. The program is Postgres' own where one is installed that is not older than the server; what surrounds it is
 * tested with programs that fail, stand still, or tell what they were given.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '@spine/api';
import { loadSettings } from '@spine/config';
import { acquireLock, releaseLock } from '@spine/database';
import { anyNumber, listIn, startApi, textLike } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;
let folder: string;
beforeAll(async () => {
  api = await startApi();
  folder = await mkdtemp(join(tmpdir(), 'spine-backup-'));
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

const NAME = /^spine-\d{8}T\d{6}Z-[0-9a-f]{8}\.dump$/;

interface Answered {
  readonly status: number;
  readonly body: Json;
}

/** An app whose backups are made by `program`, in a folder of its own below the test's. */
async function withProgram<T>(
  program: string | null,
  use: (
    call: (method: 'GET' | 'POST', path: string, json?: object) => Promise<Answered>,
    dir: string,
  ) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(folder, 'of-'));
  const file = join(dir, 'program');
  if (program !== null) await writeFile(file, `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  const url = new URL(api.database.connectionString);
  url.password = 'a-secret-password';
  const settings = loadSettings(
    {
      SPINE_DATABASE_URL: url.toString(),
      SPINE_BACKUP_DIR: join(dir, 'files'),
      ...(program === null ? {} : { SPINE_PG_DUMP: file }),
    },
    { role: 'api' },
  );
  const app = await createApp({ settings, engine: api.engine });
  try {
    return await use(
      async (method, path, json) => {
        const answer = await app.fastify.inject({
          method,
          url: `/api/v1/database/${path}`,
          headers: { host: 'localhost' },
          ...(json === undefined ? {} : { payload: json }),
        });
        return { status: answer.statusCode, body: answer.json<Json>() };
      },
      join(dir, 'files'),
    );
  } finally {
    await app.close(0);
  }
}

const VERSION = `[ "$1" = --version ] && echo 'pg_dump (PostgreSQL) 99.0' && exit 0`;

describe('a backup', () => {
  it('is a file that only its owner reads, listed once it is whole; the password is no argument', async () => {
    await withProgram(
      `${VERSION}\necho "args: $*"; echo "password: $PGPASSWORD"; env | cut -d= -f1`,
      async (call, dir) => {
        await mkdir(dir);
        const left = join(dir, 'spine-20200101T000000Z-00000000.dump.partial');
        await writeFile(left, 'half');
        await writeFile(join(dir, 'notes.txt'), 'not ours');
        const made = await call('POST', 'backup');
        expect([made.status, made.body['data']]).toEqual([
          200,
          { name: textLike(NAME), bytes: anyNumber, duration_ms: anyNumber },
        ]);
        const name = String(made.body['data']?.['name']);
        const file = join(dir, name);
        const text = await readFile(file, 'utf8');
        const [args] = text.split('\n');
        expect(args).toContain(`/${api.database.name}`);
        expect(args).not.toContain('a-secret-password');
        expect(text).toContain('password: a-secret-password');
        // Of this process's environment nothing goes along.
        expect(text).not.toMatch(/^(HOME|NODE_|SPINE_|VITEST)/m);
        expect((await stat(file)).mode & 0o777).toBe(0o600);
        const listed = await call('GET', 'backups');
        expect(listIn(listed.body['data'])).toMatchObject([{ name, bytes: text.length }]);
        expect((await readdir(dir)).sort()).toEqual(['notes.txt', name].sort());
      },
    );
  });

  it.each([
    [
      'fails',
      `${VERSION}\necho half; echo 'permission denied for a-secret-password' >&2; exit 1`,
      /permission denied for \*\*\*/,
    ],
    ['is too old', `echo 'pg_dump (PostgreSQL) 9.6.1'`, /of version 9 and the server of \d+.*SPINE_PG_DUMP/],
    ['stands still', `${VERSION}\nexec sleep 600`, /did not end within 1 s/],
    ['is not pg_dump', 'exit 0', /SPINE_PG_DUMP/],
  ])('whose program %s leaves no file, and says what to do', async (_what, program, detail) => {
    await withProgram(program, async (call, dir) => {
      const { status, body } = await call('POST', 'backup', { timeout_seconds: 1 });
      expect([status, body['code'], body['detail']]).toEqual([503, 'UNAVAILABLE', textLike(detail)]);
      expect(await readdir(dir)).toEqual([]);
      expect(JSON.stringify(body)).not.toContain('a-secret-password');
      // The lock is free again.
      const key = { key: 'database:backup', owner: 'test', ttlMs: 60_000 };
      const lock = await acquireLock(api.engine.pool, key);
      if (lock.type !== 'acquired') throw new Error('the lock was not given back');
      expect((await call('POST', 'backup')).status).toBe(423);
      await releaseLock(api.engine.pool, { key: key.key, token: lock.token });
    });
  });

  it('is refused with what to set where no folder is named', async () => {
    const { status, body } = await api.call('POST', '/api/v1/database/backup');
    expect([status, body['detail']]).toEqual([503, textLike(/SPINE_BACKUP_DIR/)]);
    expect(listIn((await api.call('GET', '/api/v1/database/backups')).body['data'])).toEqual([]);
  });

  it('by the pg_dump of this machine can be read by pg_restore, or says why there is none', async () => {
    const { rows } = await api.engine.pool.query<{ server: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS server`,
    );
    const said = await promisify(execFile)('pg_dump', ['--version']).catch(() => null);
    const version = Number(/PostgreSQL\) (\d+)/.exec(said?.stdout ?? '')?.[1] ?? 0);
    const url = api.database.connectionString;
    const settings = loadSettings(
      { SPINE_DATABASE_URL: url, SPINE_BACKUP_DIR: join(folder, 'real') },
      { role: 'api' },
    );
    const app = await createApp({ settings, engine: api.engine });
    const answer = await app.fastify.inject({
      method: 'POST',
      url: '/api/v1/database/backup',
      headers: { host: 'localhost' },
    });
    await app.close(0);
    const { data, detail } = answer.json<Json>();
    if (version < (rows[0]?.server ?? 0)) {
      expect([answer.statusCode, detail]).toEqual([503, textLike(/SPINE_PG_DUMP/)]);
    } else {
      expect(answer.statusCode, answer.body).toBe(200);
      const file = join(folder, 'real', String(data?.['name']));
      const { stdout } = await promisify(execFile)('pg_restore', ['--list', file]);
      expect(stdout).toContain('TABLE DATA public runs');
    }
  });
});
