/** Creates a cluster and prepares an existing one; nothing here talks to a running server. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { appendFile, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { PostgresBinaries } from './binaries.ts';
import { runCommand } from './command.ts';
import { EmbeddedPostgresError } from './errors.ts';
import type { RunAs } from './run-as.ts';
import { newState, readState, writeState, type ClusterState } from './state.ts';

const INITDB_TIMEOUT_MS = 120_000;
const SINGLE_USER_TIMEOUT_MS = 60_000;
export const SUPERUSER = 'postgres';
const INCLUDE_LINE = "include 'spine.conf'";

export interface ClusterContext {
  readonly dataDir: string;
  readonly runAs: RunAs | undefined;
  readonly binaries: PostgresBinaries;
  readonly durable: boolean;
  readonly signal: AbortSignal | undefined;
}

async function giveTo(runAs: RunAs | undefined, ...paths: string[]): Promise<void> {
  if (!runAs) return;
  for (const path of paths) await chown(path, runAs.uid, runAs.gid);
}

async function removeUnfinished(dataDir: string): Promise<void> {
  const prefix = `${basename(dataDir)}.init-`;
  for (const name of readdirSync(dirname(dataDir))) {
    if (!name.startsWith(prefix)) continue;
    // An initdb whose parent was killed may still be writing there: what cannot be removed now goes next time.
    await rm(join(dirname(dataDir), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Runs initdb in a folder of its own and renames it to the data directory when complete: a cluster that was
 * interrupted while being made is never mistaken for a finished one.
 */
export async function createCluster(context: ClusterContext): Promise<ClusterState> {
  const { dataDir, runAs, binaries } = context;
  await removeUnfinished(dataDir);
  const unfinished = `${dataDir}.init-${randomBytes(4).toString('hex')}`;
  const passwordFile = `${unfinished}.password`;
  const state = newState();
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await writeFile(passwordFile, `${state.superuserPassword}\n`, { mode: 0o600 });
    await giveTo(runAs, unfinished, passwordFile);
    const result = await runCommand(
      binaries.initdb,
      [
        `--pgdata=${unfinished}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--data-checksums',
        ...(context.durable ? [] : ['--no-sync']),
      ],
      { runAs, timeoutMs: INITDB_TIMEOUT_MS, signal: context.signal },
    );
    context.signal?.throwIfAborted();
    if (result.code !== 0) {
      throw new EmbeddedPostgresError(
        `The database cluster ${dataDir} could not be created: ${
          result.timedOut ? `initdb took longer than ${INITDB_TIMEOUT_MS / 1000} s` : result.output.trim()
        }`,
      );
    }
    await writeState(dataDir, state, runAs);
    // An empty folder at the destination would be replaced anyway; removing it first works on every file system.
    await rm(dataDir, { recursive: true, force: true });
    await rename(unfinished, dataDir);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
  }
  return state;
}

/** @throws EmbeddedPostgresError when the cluster was made by another major version of Postgres. */
export async function checkVersion({ dataDir, binaries }: ClusterContext): Promise<void> {
  const found = (await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).trim();
  if (found === String(binaries.majorVersion)) return;
  throw new EmbeddedPostgresError(
    `The data directory ${dataDir} was made by Postgres ${found}, and the installed one is ${binaries.version}. ` +
      'Move the data directory away (or name another SPINE_DATA_DIR) to begin with an empty database, ' +
      `or serve it with Postgres ${found} and set SPINE_DATABASE_URL.`,
  );
}

/** After a copy of the project by root the files belong to root: gives them to the account that runs Postgres. */
export async function takeOwnership({ dataDir, runAs }: ClusterContext): Promise<void> {
  if (!runAs || (await lstat(dataDir)).uid === runAs.uid) return;
  await runCommand('chown', ['-R', `${runAs.uid}:${runAs.gid}`, dataDir], { timeoutMs: 120_000 });
}

/** Writes spine.conf and makes postgresql.conf include it last. */
export async function writeServerSettings(context: ClusterContext, text: string): Promise<void> {
  const file = join(context.dataDir, 'spine.conf');
  const unfinished = `${file}.new`;
  await writeFile(unfinished, text, { mode: 0o600 });
  await giveTo(context.runAs, unfinished);
  await rename(unfinished, file);
  const main = join(context.dataDir, 'postgresql.conf');
  const current = await readFile(main, 'utf8');
  if (!current.split('\n').some((line) => line.trim() === INCLUDE_LINE)) {
    await appendFile(main, `\n${INCLUDE_LINE}\n`);
  }
}

/**
 * The passwords of an existing cluster. When their file was lost, the superuser gets a new one through Postgres'
 * single-user mode, which needs no password but a stopped server.
 */
export async function recoverState(context: ClusterContext): Promise<ClusterState> {
  const known = await readState(context.dataDir);
  if (known) return known;
  const state = newState();
  const result = await runCommand(
    context.binaries.postgres,
    ['--single', '-D', context.dataDir, 'postgres'],
    {
      runAs: context.runAs,
      timeoutMs: SINGLE_USER_TIMEOUT_MS,
      signal: context.signal,
      // base64url: nothing in it needs quoting.
      input: `ALTER ROLE ${SUPERUSER} WITH PASSWORD '${state.superuserPassword}'\n`,
    },
  );
  context.signal?.throwIfAborted();
  if (result.code !== 0) {
    throw new EmbeddedPostgresError(
      `The password file of ${context.dataDir} is missing and a new password could not be set ` +
        `(single-user mode ended with code ${result.code}).`,
    );
  }
  await writeState(context.dataDir, state, context.runAs);
  return state;
}
