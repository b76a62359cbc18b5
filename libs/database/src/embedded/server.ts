/**
 * Starting and stopping the server of one data directory.
 *
 * 1. A postmaster is ours when it works in our data directory; the pid in postmaster.pid alone proves nothing.
 * 2. postmaster.pid is deleted by us in one case only: its pid is taken by a process that is not ours (or by a
 *    zombie that init does not collect), and no backend of this directory is left. Otherwise Postgres judges it, because it also checks shared memory.
 * 3. After a stop the process is gone, not merely asked to go.
 */
import { existsSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterContext } from './cluster.ts';
import { runCommand } from './command.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { commandLineOf, isPidInUse, isRunning, processesWorkingIn, worksIn } from './process-table.ts';

const START_TIMEOUT_SECONDS = 180;
const LOG_ROTATE_BYTES = 10_000_000;
const BACKEND_EXIT_MS = 10_000;
const POLL_MS = 25;

async function readPostmasterPid(dataDir: string): Promise<number | undefined> {
  try {
    const firstLine = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0] ?? '';
    const pid = Math.abs(Number.parseInt(firstLine, 10));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isPostmasterOf(pid: number, dataDir: string): boolean {
  if (!isRunning(pid)) return false;
  // The working directory of another user's process is unreadable in containers without CAP_SYS_PTRACE; the
  // command line ("postgres -D <data dir>") is readable there.
  return worksIn(pid, dataDir) || (commandLineOf(pid)?.split(' ').includes(dataDir) ?? false);
}

/** Pid of the postmaster that serves this data directory now. */
export async function findPostmaster(dataDir: string): Promise<number | undefined> {
  const pid = await readPostmasterPid(dataDir);
  return pid !== undefined && isPostmasterOf(pid, dataDir) ? pid : undefined;
}

async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

/**
 * Backends outlive a killed postmaster for a moment and still write to shared memory: a new server may start only
 * when they are gone.
 */
async function waitForBackends(dataDir: string): Promise<void> {
  const gone = (): boolean => processesWorkingIn(dataDir).length === 0;
  if (await waitUntil(gone, BACKEND_EXIT_MS)) return;
  for (const pid of processesWorkingIn(dataDir)) kill(pid);
  await waitUntil(gone, BACKEND_EXIT_MS);
}

/** Makes a data directory startable after whatever happened to its last server. Returns what was repaired. */
export async function clearLeftovers(context: ClusterContext): Promise<'nothing' | 'stopped' | 'stale_pid'> {
  const { dataDir } = context;
  const postmaster = await findPostmaster(dataDir);
  if (postmaster !== undefined) {
    await stopServer(context, postmaster, 20);
    return 'stopped';
  }
  const recorded = await readPostmasterPid(dataDir);
  if (recorded === undefined) return 'nothing';
  await waitForBackends(dataDir);
  if (isPidInUse(recorded)) await rm(join(dataDir, 'postmaster.pid'), { force: true });
  return 'stale_pid';
}

/** Creates the log file with the right owner and sets a large one aside (one older file is kept). */
export async function prepareLog({ runAs }: ClusterContext, logFile: string): Promise<void> {
  if (existsSync(logFile) && (await stat(logFile)).size > LOG_ROTATE_BYTES) {
    await rename(logFile, `${logFile}.1`);
  }
  const handle = await open(logFile, 'a', 0o600);
  try {
    if (runAs) await handle.chown(runAs.uid, runAs.gid);
  } finally {
    await handle.close();
  }
}

export type StartOutcome =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'port_taken' }
  | { readonly kind: 'failed'; readonly reason: string };

/** Starts the server and waits until it accepts connections (crash recovery included). */
export async function startServer(context: ClusterContext, logFile: string): Promise<StartOutcome> {
  const logStart = (await stat(logFile)).size;
  const result = await runCommand(
    context.binaries.pgCtl,
    [
      'start',
      '--wait',
      `--timeout=${START_TIMEOUT_SECONDS}`,
      `--pgdata=${context.dataDir}`,
      `--log=${logFile}`,
      '--silent',
    ],
    { runAs: context.runAs, timeoutMs: (START_TIMEOUT_SECONDS + 10) * 1000, signal: context.signal },
  );
  const pid = await findPostmaster(context.dataDir);
  if (context.signal?.aborted || (result.code !== 0 && pid !== undefined)) {
    if (pid !== undefined) await stopServer(context, pid, 5);
    context.signal?.throwIfAborted();
  } else if (pid !== undefined) {
    return { kind: 'started', pid };
  }
  const log = (await readFile(logFile, 'utf8')).slice(logStart);
  if (/could not bind|Address already in use/.test(log)) return { kind: 'port_taken' };
  const lines = `${log}\n${result.output}`.split('\n').filter((line) => line.trim() !== '');
  const reason = lines.slice(-8).join('\n') || `pg_ctl ended with code ${result.code}`;
  return { kind: 'failed', reason };
}

/**
 * Stops the server `pid`: fast, then immediate, then by killing its processes. Returns when they are gone.
 * @throws EmbeddedPostgresError when they are still there.
 */
export async function stopServer(
  context: ClusterContext,
  pid: number,
  timeoutSeconds: number,
): Promise<void> {
  const { dataDir, runAs, binaries } = context;
  const gone = (): boolean => !isPostmasterOf(pid, dataDir);
  const attempts = [
    { mode: 'fast', seconds: Math.max(1, Math.ceil(timeoutSeconds)) },
    { mode: 'immediate', seconds: 3 },
  ] as const;
  for (const { mode, seconds } of attempts) {
    if (gone()) break;
    await runCommand(
      binaries.pgCtl,
      ['stop', `--mode=${mode}`, '--wait', `--timeout=${seconds}`, `--pgdata=${dataDir}`, '--silent'],
      { runAs, timeoutMs: (seconds + 2) * 1000 },
    ).catch(() => undefined);
    // pg_ctl waits for the pid file to go, which happens shortly before the process ends.
    if (await waitUntil(gone, 1_000)) break;
  }
  if (!gone()) {
    for (const each of [pid, ...processesWorkingIn(dataDir)]) kill(each);
    await waitUntil(gone, 2_000);
  }
  if (!gone()) {
    throw new EmbeddedPostgresError(`Postgres (process ${pid}, data ${dataDir}) could not be stopped`);
  }
  await waitForBackends(dataDir);
}
