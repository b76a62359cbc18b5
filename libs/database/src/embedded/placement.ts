/**
 * Where the cluster lives and as whom it runs.
 *
 * 1. Existing data is never left behind: a cluster found at the asked place or at its relocated place is used.
 * 2. As root, an existing cluster runs as its owner, so that its files do not change hands between starts.
 * 3. A new cluster goes to the asked place, unless root's system user cannot reach it (a project below a home
 *    with mode 700): then below /var/lib/spine, in a folder named by a hash of the asked place.
 */
import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { chooseAccount, type RunAs } from './run-as.ts';
import type { OnProgress } from './types.ts';

export interface Placement {
  readonly dataDir: string;
  readonly runAs: RunAs | undefined;
  /** Folder for a copy of the binaries, should `runAs` not be able to read the installed ones. */
  readonly copyDir: string;
}

const RELOCATION_ROOT = '/var/lib/spine';
const PROBE_TIMEOUT_MS = 10_000;

/** True when the folder holds a finished Postgres cluster. */
export function isCluster(dataDir: string): boolean {
  return existsSync(join(dataDir, 'PG_VERSION'));
}

/** Where the cluster of an asked place is kept when root's system user cannot reach that place. */
export function relocatedPlace(asked: string): { readonly dir: string; readonly dataDir: string } {
  const dir = join(RELOCATION_ROOT, createHash('sha256').update(asked).digest('hex').slice(0, 16));
  return { dir, dataDir: join(dir, basename(asked)) };
}

async function canReach(directory: string, runAs: RunAs): Promise<boolean> {
  const result = await runCommand('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], {
    runAs,
    timeoutMs: PROBE_TIMEOUT_MS,
  });
  return result.code === 0;
}

async function ensureFolder(directory: string): Promise<void> {
  if (existsSync(directory)) return;
  await mkdir(directory, { recursive: true });
  // A strict umask must not decide whether the database user can pass through a folder we make for it.
  await chmod(directory, 0o755);
}

async function refuseForeignContent(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const entries = await readdir(dataDir);
  if (entries.length === 0) return;
  throw new EmbeddedPostgresError(
    `The folder ${dataDir} is not empty and is not a Postgres data directory (found ${entries.slice(0, 3).join(', ')}). ` +
      'Empty it, or name another folder in SPINE_DATA_DIR.',
  );
}

/**
 * Postgres insists on owning its data directory, and its mode 0700 hides it from everybody else.
 *
 * @param ownUid of this process; undefined where there are no user ids
 * @throws EmbeddedPostgresError when the directory exists and belongs to another user; root may use anybody's.
 */
export function refuseForeignOwner(dataDir: string, ownUid: number | undefined): void {
  if (ownUid === undefined || ownUid === 0 || !existsSync(dataDir)) return;
  const { uid } = statSync(dataDir);
  if (uid === ownUid) return;
  throw new EmbeddedPostgresError(
    `The data directory ${dataDir} belongs to user id ${uid}, and this process runs as user id ${ownUid}. ` +
      'Start Spine as the user who created it (or as root), or name another folder in SPINE_DATA_DIR.',
  );
}

/**
 * @param asked absolute path of the wanted data directory
 * @throws EmbeddedPostgresError when the place cannot be used.
 */
export async function choosePlacement(asked: string, onProgress: OnProgress): Promise<Placement> {
  const { dir: relocationDir, dataDir: relocated } = relocatedPlace(asked);
  const copyDir = join(relocationDir, 'binaries');
  const ownUid = process.getuid?.();

  refuseForeignOwner(asked, ownUid);

  const exists = isCluster(asked);
  if (!exists) await refuseForeignContent(asked);
  if (ownUid !== 0) {
    await ensureFolder(dirname(asked));
    return { dataDir: asked, runAs: undefined, copyDir };
  }

  const runAs = await chooseAccount(onProgress);
  if (runAs === undefined) return { dataDir: asked, runAs, copyDir };
  if (exists) {
    const { uid, gid } = statSync(asked);
    const own = uid === 0 || uid === runAs.uid;
    return { dataDir: asked, runAs: own ? runAs : { user: `user id ${uid}`, uid, gid }, copyDir };
  }
  if (isCluster(relocated)) {
    onProgress(`using the database kept in ${relocated}`);
    return { dataDir: relocated, runAs, copyDir };
  }
  await ensureFolder(dirname(asked));
  if (await canReach(dirname(asked), runAs)) return { dataDir: asked, runAs, copyDir };

  await refuseForeignContent(relocated);
  await ensureFolder(RELOCATION_ROOT);
  await ensureFolder(relocationDir);
  onProgress(
    `keeping the database in ${relocated}: Postgres does not run as root, and user "${runAs.user}" cannot enter ${dirname(asked)}`,
  );
  return { dataDir: relocated, runAs, copyDir };
}
