/**
 * A folder in memory beside a run directory, for servers that forget everything at the end anyway. A test run makes and
 * deletes some hundred thousand small files (a database is a thousand of them, a TRUNCATE some dozens), and a file system
 * on a disk spends more time finding room for them than Postgres spends on the tests.
 *
 * 1. It has the name of its run directory, is made after and removed before it: whoever cleans the one finds the other.
 * 2. A folder of that name that belongs to somebody else is not ours.
 */
import { chmodSync, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

const MEMORY_ROOT = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
const GIBIBYTE = 1024 ** 3;
/** What a whole run needs at its peak, several times over. */
const ROOM_BYTES = 2 * GIBIBYTE;
/** Of the machine's memory: the tests want some for themselves. */
const MEMORY_BYTES = 4 * GIBIBYTE;

/** What is mounted at a place. */
export interface MountFacts {
  /** Magic number of its file system. */
  readonly type: number;
  /** Blocks that are free for us. */
  readonly bavail: number;
  /** Bytes of a block. */
  readonly bsize: number;
}

/** Whether servers may keep their files there. Containers often have 64 MiB, which is not enough. */
export function hasRoom({ type, bavail, bsize }: MountFacts, availableMemory: number): boolean {
  return type === TMPFS_MAGIC && bavail * bsize >= ROOM_BYTES && availableMemory >= MEMORY_BYTES;
}

function placeFor(directory: string): string {
  return join(MEMORY_ROOT, basename(directory));
}

/** Makes the folder in memory of a run directory; false where there is no room for it. */
export function makeMemoryFolder(directory: string): boolean {
  try {
    if (!hasRoom(statfsSync(MEMORY_ROOT), process.availableMemory())) return false;
    const folder = placeFor(directory);
    mkdirSync(folder);
    // As root, Postgres runs as another user, who has to pass through.
    chmodSync(folder, 0o755);
    return true;
  } catch {
    // No such place, or not for us: the disk will do.
    return false;
  }
}

/** The folder in memory of a run directory, if it has one. */
export function memoryFolderOf(directory: string): string | undefined {
  const folder = placeFor(directory);
  const stats = statSync(folder, { throwIfNoEntry: false });
  return stats !== undefined && stats.uid === process.getuid?.() ? folder : undefined;
}

/** Removes a run directory and what it has in memory. */
export function removeWithMemory(directory: string): void {
  const folder = memoryFolderOf(directory);
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
}
