/**
 * One launcher per data directory.
 *
 * 1. The file appears with its content, by link(2): whoever sees it can read it.
 * 2. It is taken over only from a launcher that is gone, identified by pid and start time.
 * 3. Two launchers that take over at the same moment replace the same file; each reads it back after a moment, and
 *    the one whose token is not there gives up.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '@spine/core';
import { identifyProcess, isStillRunning } from '@spine/database/embedded';
import {
  LOCK_NAME,
  heldMessage,
  judgeLock,
  parseLock,
  renderLock,
  type ChildRecord,
  type LauncherState,
  type LockRecord,
} from './lock-record.ts';

const POLL_MS = 100;
const READ_BACK_MS = 150;
/** A launcher whose npm was killed begins to stop within this time. */
const RUNNING_PATIENCE_MS = 3_000;
const STOPPING_PATIENCE_MS = 20_000;

export interface LauncherLock {
  /** Children of an earlier launcher that still run. */
  readonly leftovers: readonly ChildRecord[];
  update(change: Partial<Pick<LockRecord, 'state' | 'url' | 'children'>>): void;
  release(): void;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function replace(file: string, text: string, token: string): void {
  const unfinished = `${file}.${token}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  renameSync(unfinished, file);
}

/** True when the file was created by this call; false when it existed. */
function create(file: string, text: string, token: string): boolean {
  const unfinished = `${file}.${token}`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  try {
    linkSync(unfinished, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function proveWritable(dataDir: string, token: string): void {
  const probe = join(dataDir, `${LOCK_NAME}.${token}`);
  try {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(probe, '');
    rmSync(probe);
  } catch (error) {
    throw new ConfigError(
      `SPINE_DATA_DIR: the folder ${dataDir} cannot be created or written: ${(error as Error).message}. ` +
        'It may belong to another user, for example root after a start with sudo.',
      { cause: error },
    );
  }
}

/**
 * Takes the lock of a data directory, creating the directory. Waits for a launcher that is stopping.
 * @throws ConfigError when another launcher runs on it, or the directory cannot be written.
 */
export async function takeLock(dataDir: string): Promise<LauncherLock> {
  const file = join(dataDir, LOCK_NAME);
  const token = randomBytes(8).toString('hex');
  let record: LockRecord = {
    token,
    launcher: identifyProcess(process.pid),
    state: 'starting',
    url: null,
    children: [],
  };
  proveWritable(dataDir, token);

  let leftovers: readonly ChildRecord[] = [];
  const began = performance.now();
  const patience: Record<LauncherState, number> = {
    starting: RUNNING_PATIENCE_MS,
    running: RUNNING_PATIENCE_MS,
    stopping: STOPPING_PATIENCE_MS,
  };
  for (;;) {
    const text = readText(file);
    const verdict = judgeLock(text, isStillRunning);
    if (verdict.kind === 'free') {
      if (create(file, renderLock(record), token)) break;
      continue;
    }
    if (verdict.kind === 'held') {
      if (performance.now() - began > patience[verdict.record.state]) {
        throw new ConfigError(heldMessage(verdict.record, dataDir));
      }
      await delay(POLL_MS);
      continue;
    }
    // Named in the new lock as well: if this launcher dies while reaping, the next one goes on.
    leftovers = verdict.leftovers;
    record = { ...record, children: leftovers };
    if (readText(file) !== text) continue;
    replace(file, renderLock(record), token);
    await delay(READ_BACK_MS);
    const now = parseLock(readText(file) ?? '');
    if (now?.token === token) break;
    if (now !== undefined) throw new ConfigError(heldMessage(now, dataDir));
  }

  return {
    leftovers,
    update(change) {
      record = { ...record, ...change };
      replace(file, renderLock(record), token);
    },
    release() {
      // Not ours any more when somebody took it over after judging us gone.
      if (parseLock(readText(file) ?? '')?.token === token) rmSync(file, { force: true });
    },
  };
}
