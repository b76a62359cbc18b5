/**
 * Notices that npm, which runs this script, was killed. npm forwards Ctrl-C, but from SIGKILL it forwards nothing, and
 * what it started would run on unseen.
 */
import { readFileSync } from 'node:fs';

const POLL_MS = 500;

function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/** Calls `onGone` once when npm, or the shell between npm and us, has ended. Linux only; elsewhere it never does. */
export function watchNpm(onGone) {
  if (process.env.npm_lifecycle_event === undefined || process.platform !== 'linux') return;
  const parent = process.ppid;
  const grandparent = parentOf(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && parentOf(parent) === grandparent) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  timer.unref();
}
