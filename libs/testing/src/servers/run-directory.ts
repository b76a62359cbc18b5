/**
 * Where a process that starts test servers keeps their files, and how servers that outlived it are found.
 *
 * 1. Every process has a directory of its own, named in it as the owner; each server it starts is recorded there
 *    before anybody uses it.
 * 2. Processes are recorded with their start time: a reused pid is never taken for one of ours.
 * 3. A directory is cleaned by its owner, or by anybody once the owner is gone (a killed test run). Its servers are
 *    ended first.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  findEmbeddedPostgres,
  identifyProcess,
  isStillRunning,
  type ProcessIdentity,
} from '@spine/database/embedded';
import { waitFor } from '../wait-for.ts';
import { memoryFolderOf, removeWithMemory } from './memory-folder.ts';

const PREFIX = 'spine-test-';
const OWNER_FILE = 'owner.json';
const PROCESS_FILE = /^process-\d+\.json$/;
const END_TIMEOUT_MS = 10_000;

/** SIGQUIT lets Postgres end its backends too; SIGKILL also ends a stopped (SIGSTOP) process. */
export type EndSignal = 'SIGKILL' | 'SIGQUIT';

interface RecordedProcess extends ProcessIdentity {
  readonly endSignal: EndSignal;
}

let ownDirectory: string | undefined;

/** The directory of this process; made at the first call, and removed with its servers when the process ends. */
export function runDirectory(): string {
  if (ownDirectory === undefined) {
    ownDirectory = mkdtempSync(join(tmpdir(), PREFIX));
    // As root, Postgres runs as another user, who has to pass through.
    chmodSync(ownDirectory, 0o755);
    writeJson(join(ownDirectory, OWNER_FILE), identifyProcess(process.pid));
    process.once('exit', leaveOnExit);
  }
  return ownDirectory;
}

/** Where the Postgres of a run directory keeps its data: in memory, if the run has a folder there. */
export function postgresDirectory(directory: string): string {
  return join(memoryFolderOf(directory) ?? directory, 'postgres');
}

/** Records a server this process has started, so that it is ended even if we are killed. */
export function recordServer(pid: number, endSignal: EndSignal): void {
  const recorded: RecordedProcess = { ...identifyProcess(pid), endSignal };
  writeJson(join(runDirectory(), `process-${pid}.json`), recorded);
}

/** Forgets a server that has ended. */
export function forgetServer(pid: number): void {
  rmSync(join(runDirectory(), `process-${pid}.json`), { force: true });
}

/** Ends the servers of this process that still run and removes its directory. */
export async function removeRunDirectory(): Promise<void> {
  const directory = ownDirectory;
  ownDirectory = undefined;
  if (directory !== undefined) await clean(directory);
}

/** Ends the servers, and removes the directories, of processes that are gone. Returns the number of directories. */
export async function reapAbandonedServers(): Promise<number> {
  const abandoned = readdirSync(tmpdir())
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => join(tmpdir(), name))
    .filter(isAbandoned);
  for (const directory of abandoned) await clean(directory);
  return abandoned.length;
}

function isAbandoned(directory: string): boolean {
  // Another user's directory could name any process as a server of ours.
  if (statSync(directory, { throwIfNoEntry: false })?.uid !== process.getuid?.()) return false;
  const owner = readIdentity(join(directory, OWNER_FILE));
  return owner !== undefined && !isStillRunning(owner);
}

function leaveOnExit(): void {
  if (ownDirectory === undefined) return;
  const stillRunning = signalServers(ownDirectory);
  // Files of a server that is only just ending are left to the next run.
  if (stillRunning.length === 0) removeWithMemory(ownDirectory);
}

async function clean(directory: string): Promise<void> {
  // A Postgres that was still starting when its owner was killed is not recorded yet.
  const postgres = await findEmbeddedPostgres(postgresDirectory(directory));
  const servers = signalServers(directory, postgres);
  await waitFor(() => !servers.some(isStillRunning), {
    timeoutMs: END_TIMEOUT_MS,
    message: () =>
      `the end of processes ${servers.filter(isStillRunning).map(({ pid }) => pid)} of ${directory}`,
  });
  removeWithMemory(directory);
}

function signalServers(directory: string, unrecordedPostgres?: number): RecordedProcess[] {
  const known = recordedIn(directory);
  if (unrecordedPostgres !== undefined && !known.some(({ pid }) => pid === unrecordedPostgres)) {
    known.push({ ...identifyProcess(unrecordedPostgres), endSignal: 'SIGQUIT' });
  }
  const running = known.filter(isStillRunning);
  for (const { pid, endSignal } of running) {
    try {
      process.kill(pid, endSignal);
    } catch {
      // It ended meanwhile.
    }
  }
  return running;
}

function recordedIn(directory: string): RecordedProcess[] {
  // Two runs may clean the same directory at once.
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => PROCESS_FILE.test(name))
    .map((name) => readIdentity(join(directory, name)))
    .filter((recorded) => recorded !== undefined);
}

function readIdentity(file: string): RecordedProcess | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Its writer was killed while writing.
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { pid, start_time: startTime, end_signal: endSignal } = parsed as Record<string, unknown>;
  if (typeof pid !== 'number' || (typeof startTime !== 'string' && startTime !== null)) return undefined;
  return { pid, startTime, endSignal: endSignal === 'SIGQUIT' ? 'SIGQUIT' : 'SIGKILL' };
}

function writeJson(
  file: string,
  { pid, startTime, ...rest }: ProcessIdentity & Partial<RecordedProcess>,
): void {
  writeFileSync(file, JSON.stringify({ pid, start_time: startTime, end_signal: rest.endSignal }));
}
