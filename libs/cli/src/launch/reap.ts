import { setTimeout as delay } from 'node:timers/promises';
import { isStillRunning, type ProcessIdentity } from '@spine/database/embedded';

const POLL_MS = 50;
const KILL_WAIT_MS = 3_000;

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}

/** SIGKILL to a process and, where it leads a process group, to what it started. */
export function killGroup(pid: number): void {
  signal(-pid, 'SIGKILL');
  signal(pid, 'SIGKILL');
}

async function untilGone(identities: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (identities.some(isStillRunning)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/**
 * Ends processes of an earlier launcher: SIGTERM, `graceMs` to finish, then SIGKILL. Only these very processes: one
 * whose pid was given to another program is left alone.
 * @returns the names of those that had to be killed
 */
export async function reapProcesses<T extends ProcessIdentity>(
  processes: readonly T[],
  graceMs: number,
): Promise<T[]> {
  for (const each of processes) if (isStillRunning(each)) signal(each.pid, 'SIGTERM');
  if (await untilGone(processes, graceMs)) return [];
  const stubborn = processes.filter(isStillRunning);
  for (const each of stubborn) killGroup(each.pid);
  await untilGone(stubborn, KILL_WAIT_MS);
  return stubborn;
}
