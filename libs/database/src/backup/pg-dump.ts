/**
 * A backup of a database by `pg_dump`, in its custom format, which `pg_restore` reads.
 *
 * 1. Nothing is overwritten: the file is made anew, readable by its owner alone, and handed to the program opened. There is
 *    no moment between a look and the writing, and no path that the program would understand in its own way.
 * 2. The password goes by PGPASSWORD: everybody on the machine may read the arguments of a process.
 * 3. The program sees nothing else of this process's environment but where programs are: a PGHOST of the user's shell must not
 *    lead to another database.
 * 4. A backup that did not end well leaves no file: half a backup looks like one.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

export interface BackupOptions {
  /** Of a role that may read everything: the owner of the tables, not the services' role. */
  readonly connectionString: string;
  /** Where the backup is written; its folder exists, and it does not. */
  readonly file: string;
  /** Default `pg_dump`, found on `path`. */
  readonly program?: string | undefined;
  /** Folders that programs are looked for in, as in PATH. Default: the system's usual ones. */
  readonly path?: string | undefined;
  /** `server_version_num` of the database. */
  readonly serverVersion: number;
  /** Ends the program, and with it the backup. */
  readonly signal?: AbortSignal | undefined;
}

export type BackupOutcome =
  | { readonly type: 'done'; readonly bytes: number; readonly durationMs: number }
  /** There is no such program on this machine. */
  | { readonly type: 'no_program'; readonly program: string }
  /** The program is older than the server, which pg_dump refuses. Major versions. */
  | { readonly type: 'too_old'; readonly program: string; readonly version: number; readonly server: number }
  /** There is a file of that name. */
  | { readonly type: 'exists' }
  /** The folder is not there or cannot be written to. */
  | { readonly type: 'not_writable'; readonly why: string }
  | { readonly type: 'aborted' }
  /** What the program said last, without the password. */
  | { readonly type: 'failed'; readonly why: string };

const USUAL_PATH = '/usr/local/bin:/usr/bin:/bin';
/** Characters of the program's complaints that are kept. */
const SAID_LIMIT = 4_000;

interface Target {
  /** For `--dbname`: everything but the password. */
  readonly url: string;
  readonly password: string | null;
}

/** Splits a connection string, so that its password can go another way. */
export function backupTarget(connectionString: string): Target {
  const url = new URL(connectionString);
  const inQuery = url.searchParams.get('password');
  const password = url.password === '' ? inQuery : decodeURIComponent(url.password);
  url.password = '';
  url.searchParams.delete('password');
  return { url: url.toString(), password };
}

/** Of `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`: 15. */
export function majorVersionOf(said: string): number | null {
  const major = /PostgreSQL\) (\d+)/.exec(said)?.[1];
  return major === undefined ? null : Number(major);
}

type Ended = { readonly code: number | null; readonly said: string } | 'not_found';

async function endOf(child: ChildProcess): Promise<Ended> {
  let said = '';
  const keep = (chunk: Buffer): void => {
    said = (said + chunk.toString('utf8')).slice(-SAID_LIMIT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, said };
  } catch (error) {
    if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(codeOf(error))) return 'not_found';
    return { code: null, said: String(error) };
  }
}

/** Writes the backup. Takes as long as the database is large; reads and writes go on. */
export async function backupDatabase(options: BackupOptions): Promise<BackupOutcome> {
  const { file, program = 'pg_dump', path = USUAL_PATH, signal } = options;
  const { url, password } = backupTarget(options.connectionString);
  const env = { PATH: path, LC_ALL: 'C', ...(password === null ? {} : { PGPASSWORD: password }) };
  const asked = await endOf(
    spawn(program, ['--version'], { env: { PATH: path, LC_ALL: 'C' }, stdio: 'pipe' }),
  );
  const version = asked === 'not_found' ? null : majorVersionOf(asked.said);
  if (version === null) return { type: 'no_program', program };
  const server = Math.floor(options.serverVersion / 10_000);
  if (version < server) return { type: 'too_old', program, version, server };
  if (isAborted(signal)) return { type: 'aborted' };

  const opened = await openNew(file);
  if ('type' in opened) return opened;
  const from = performance.now();
  let outcome: BackupOutcome = { type: 'aborted' };
  try {
    const args = ['--format=custom', '--no-password', '--dbname', url];
    // In a group of its own: Ctrl-C reaches this process, which decides.
    const child = spawn(program, args, { env, stdio: ['ignore', opened.handle.fd, 'pipe'], detached: true });
    const stop = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    const ended = await endOf(child);
    signal?.removeEventListener('abort', stop);
    if (isAborted(signal)) return outcome;
    if (ended === 'not_found') outcome = { type: 'no_program', program };
    else if (ended.code !== 0) outcome = { type: 'failed', why: withoutSecret(ended.said, password) };
    else {
      await opened.handle.sync();
      const durationMs = Math.round(performance.now() - from);
      outcome = { type: 'done', bytes: (await stat(file)).size, durationMs };
    }
    return outcome;
  } finally {
    await opened.handle.close();
    if (outcome.type !== 'done') await rm(file, { force: true });
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

type Opened = { readonly handle: FileHandle } | Extract<BackupOutcome, { type: 'exists' | 'not_writable' }>;

async function openNew(file: string): Promise<Opened> {
  try {
    return { handle: await open(file, 'wx', 0o600) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return { type: 'exists' };
    return { type: 'not_writable', why: code === '' ? String(error) : code };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function withoutSecret(said: string, password: string | null): string {
  const text = said.trim();
  return password === null || password === '' ? text : text.replaceAll(password, '***');
}
