/** Postgres refuses to run as root: as root, everything it does is done as the system user `postgres`. */
import { EmbeddedPostgresError } from './errors.ts';
import { runCommand } from './command.ts';
import type { OnProgress } from './types.ts';

export interface RunAs {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
}

const SYSTEM_USER = 'postgres';
const LOOKUP_TIMEOUT_MS = 10_000;

async function numericId(flag: '-u' | '-g'): Promise<number | undefined> {
  const result = await runCommand('id', [flag, SYSTEM_USER], { timeoutMs: LOOKUP_TIMEOUT_MS });
  if (result.code !== 0) return undefined;
  const value = Number(result.output.trim());
  return Number.isInteger(value) ? value : undefined;
}

async function lookUp(): Promise<RunAs | undefined> {
  const uid = await numericId('-u');
  const gid = await numericId('-g');
  return uid === undefined || gid === undefined ? undefined : { user: SYSTEM_USER, uid, gid };
}

/**
 * The account to run Postgres as, or undefined to run it as ourselves. Creates the system user when we are
 * root and it does not exist.
 * @throws EmbeddedPostgresError when it does not exist and cannot be created.
 */
export async function chooseAccount(onProgress: OnProgress): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const existing = await lookUp();
  if (existing) return existing;

  onProgress(`creating the system user "${SYSTEM_USER}" (Postgres does not run as root)`);
  const created = await runCommand(
    'useradd',
    [
      '--system',
      '--user-group',
      '--no-create-home',
      '--home-dir',
      '/nonexistent',
      '--shell',
      '/bin/false',
      SYSTEM_USER,
    ],
    { timeoutMs: LOOKUP_TIMEOUT_MS },
  ).catch((error: unknown) => ({ code: null, output: String(error), timedOut: false }));
  const account = await lookUp();
  if (account) return account;
  throw new EmbeddedPostgresError(
    `Postgres does not run as root, and the system user "${SYSTEM_USER}" could not be created: ` +
      `${created.output.trim() || `useradd ended with code ${created.code}`}. ` +
      'Create that user, start Spine as an ordinary user, or set SPINE_DATABASE_URL to a Postgres of your own.',
  );
}
