import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backupDatabase, backupTarget, majorVersionOf } from './pg-dump.ts';
import type { BackupOptions } from './pg-dump.ts';

const SECRET = 'pa55 w@rd';
const URL_WITH_SECRET = `postgres://ann:${encodeURIComponent(SECRET)}@db:5433/spine?sslmode=require`;

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spine-backup-'));
  file = join(dir, 'spine.dump');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A program in place of pg_dump that shows what it is given; it says that it is of version 99. */
function program(body: string): string {
  const path = join(dir, 'pg_dump');
  writeFileSync(
    path,
    `#!/bin/sh\nif [ "$1" = --version ]; then echo 'pg_dump (PostgreSQL) 99.1'; exit; fi\n${body}\n`,
  );
  chmodSync(path, 0o755);
  return path;
}

function backup(more: Partial<BackupOptions>): ReturnType<typeof backupDatabase> {
  return backupDatabase({ connectionString: URL_WITH_SECRET, file, serverVersion: 180_004, ...more });
}

describe('a backup', () => {
  it('tells the program the password by its environment, and of the environment nothing else', async () => {
    const outcome = await backup({ program: program('echo "$@"; env'), path: '/usr/bin:/bin' });
    const said = readFileSync(file, 'utf8');
    expect(outcome).toEqual({ type: 'done', bytes: said.length, durationMs: expect.any(Number) as number });
    const [args, ...env] = said.trimEnd().split('\n');
    expect(args).toBe('--format=custom --no-password --dbname postgres://ann@db:5433/spine?sslmode=require');
    const names = env.map((line) => line.split('=')[0] ?? '');
    expect(env).toContain(`PGPASSWORD=${SECRET}`);
    expect(names.filter((name) => /^(PG|SPINE|HOME)/.test(name))).toEqual(['PGPASSWORD']);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('overwrites nothing, and makes no folder', async () => {
    writeFileSync(file, 'mine');
    expect(await backup({ program: program('echo new') })).toEqual({ type: 'exists' });
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(await backup({ program: program('echo new'), file: join(dir, 'no', 'x') })).toEqual({
      type: 'not_writable',
      why: 'ENOENT',
    });
  });

  it('that fails leaves no file, and does not repeat the password', async () => {
    const failing = program('echo half; echo "cannot use $PGPASSWORD" >&2; exit 1');
    expect(await backup({ program: failing })).toEqual({ type: 'failed', why: 'cannot use ***' });
    expect(existsSync(file)).toBe(false);
  });

  it('is ended by its signal, and leaves no file', async () => {
    const stop = new AbortController();
    const started = join(dir, 'started');
    const ended = backup({ program: program(`: > '${started}'; exec sleep 60`), signal: stop.signal });
    await vi.waitFor(() => expect(existsSync(started)).toBe(true), { timeout: 10_000, interval: 10 });
    stop.abort();
    expect(await ended).toEqual({ type: 'aborted' });
    expect(existsSync(file)).toBe(false);
  });

  it('needs a program that is no older than the server', async () => {
    const missing = join(dir, 'nothing');
    expect(await backup({ program: missing })).toEqual({ type: 'no_program', program: missing });
    const old = program('echo never');
    expect(await backup({ program: old, serverVersion: 1_000_000 })).toEqual({
      type: 'too_old',
      program: old,
      version: 99,
      server: 100,
    });
    expect(readdirSync(dir)).toEqual(['pg_dump']);
  });
});

describe('a connection string', () => {
  it('gives up its password, wherever it has it', () => {
    expect(backupTarget('postgres:///spine?host=/run&password=a%20b')).toEqual({
      url: 'postgres:///spine?host=%2Frun',
      password: 'a b',
    });
    expect(backupTarget('postgres://ann@db/spine').password).toBeNull();
  });
});

describe('what a program says of itself', () => {
  it.each([
    ['pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', 15],
    ['pg_dump (PostgreSQL) 19devel', 19],
    ['mysqldump  Ver 8', null],
  ])('%s', (said, major) => {
    expect(majorVersionOf(said)).toBe(major);
  });
});
