/**
 * What the operating system says about processes. A bare pid is not an identity: pids are reused, after a
 * reboot or in a container quickly, so whoever stores a pid stores its start time with it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';

/** A process that can be recognised later, even if its pid has been given to another one. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: equal strings mean the same start. `null` when the process was gone before it could be read. */
  readonly startTime: string | null;
}

interface ProcStat {
  readonly state: string;
  readonly startTicks: string;
}

function readProcStat(pid: number): ProcStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name (field 2) may hold spaces and parentheses: count fields after its closing one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    const startTicks = fields[19];
    return state === undefined || startTicks === undefined ? undefined : { state, startTicks };
  } catch {
    return undefined;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown-boot';
  }
}

function ps(pid: number, field: 'lstart' | 'command'): string | undefined {
  try {
    const out = execFileSync('ps', ['-o', `${field}=`, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return out === '' ? undefined : out;
  } catch {
    return undefined;
  }
}

/** True while the pid is in use, be it by a zombie that nobody collected. */
export function isPidInUse(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** True while the process exists and has not ended (a zombie has ended). */
export function isRunning(pid: number): boolean {
  if (!isPidInUse(pid)) return false;
  const state = readProcStat(pid)?.state;
  return state !== 'Z' && state !== 'X';
}

/** The identity of a process as it is now. */
export function identifyProcess(pid: number): ProcessIdentity {
  if (process.platform === 'linux') {
    const stat = readProcStat(pid);
    return { pid, startTime: stat === undefined ? null : `${stat.startTicks}@${bootId()}` };
  }
  return { pid, startTime: ps(pid, 'lstart') ?? null };
}

/** True while that very process runs; false when it ended or its pid now belongs to another one. */
export function isStillRunning(identity: ProcessIdentity): boolean {
  if (identity.startTime === null || !isRunning(identity.pid)) return false;
  return identifyProcess(identity.pid).startTime === identity.startTime;
}

/** The command line, arguments separated by one space; undefined when it cannot be read. */
export function commandLineOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(pid, 'command');
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return undefined;
  }
}

/** True when the process's working directory is `directory` (Linux only; false where it may not be read). */
export function worksIn(pid: number, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(directory);
  } catch {
    return false;
  }
}

/** Every running process whose working directory is `directory` (Linux only; elsewhere none is found). */
export function processesWorkingIn(directory: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => worksIn(pid, directory) && isRunning(pid));
}
