/** CPU time of processes, from /proc; on systems without one every figure is NaN. */
import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds of CPU since the processes began. */
export interface CpuTimes {
  readonly node: number;
  readonly postgres: number;
  readonly redis: number;
}

interface ProcessTimes {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended. */
  readonly ended: number;
}

/** Linux counts in hundredths of a second, whatever the kernel's tick is. */
const MICROSECONDS_PER_TICK = 10_000;

function timesOf(pid: number | string): ProcessTimes | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name stands in brackets and may hold anything; the fields count from after it.
    const fields = line
      .slice(line.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const ticks = (from: number): number =>
      ((fields[from] ?? 0) + (fields[from + 1] ?? 0)) * MICROSECONDS_PER_TICK;
    return { parent: fields[1] ?? 0, own: ticks(11), ended: ticks(13) };
  } catch {
    return null;
  }
}

/** A process with its children: Postgres has one a connection. */
function familyTime(pid: number): number {
  const parent = timesOf(pid);
  if (parent === null) return Number.NaN;
  let total = parent.own + parent.ended;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const child = timesOf(entry);
    if (child?.parent === pid) total += child.own;
  }
  return total;
}

/** Microseconds of CPU of one process, without its children. */
export function processTime(pid: number): number {
  return timesOf(pid)?.own ?? Number.NaN;
}

/** @param redisPid undefined for a Redis whose process is not ours to see. */
export function cpuTimes(postgresPid: number, redisPid: number | undefined): CpuTimes {
  const { user, system } = process.cpuUsage();
  return {
    node: user + system,
    postgres: familyTime(postgresPid),
    redis: redisPid === undefined ? Number.NaN : (timesOf(redisPid)?.own ?? Number.NaN),
  };
}

/** What was used between two looks, for each of `jobs`. */
export function cpuPerJob(before: CpuTimes, after: CpuTimes, jobs: number): CpuTimes {
  return {
    node: (after.node - before.node) / jobs,
    postgres: (after.postgres - before.postgres) / jobs,
    redis: (after.redis - before.redis) / jobs,
  };
}
