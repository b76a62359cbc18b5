/** The launcher's lock: what it says, and what another launcher may conclude from it. Pure. */
import type { ProcessIdentity } from '@spine/database/embedded';

/** The file of the lock, in the data directory. */
export const LOCK_NAME = 'launcher.json';

export interface ChildRecord extends ProcessIdentity {
  readonly name: string;
}

export type LauncherState = 'starting' | 'running' | 'stopping';

export interface LockRecord {
  /** Random, one per launcher: tells two launchers that write at the same moment apart. */
  readonly token: string;
  readonly launcher: ProcessIdentity;
  readonly state: LauncherState;
  /** Address of the API once it is known. */
  readonly url: string | null;
  readonly children: readonly ChildRecord[];
}

export type LockVerdict =
  /** Nobody holds it. */
  | { readonly kind: 'free' }
  /** A living launcher holds it. */
  | { readonly kind: 'held'; readonly record: LockRecord }
  /** Its launcher is gone; these of its children are not. */
  | { readonly kind: 'stale'; readonly leftovers: readonly ChildRecord[] };

function parseIdentity(value: unknown): ProcessIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, start_time: startTime } = value as Record<string, unknown>;
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 1) return undefined;
  return { pid, startTime: typeof startTime === 'string' ? startTime : null };
}

/** Reads a lock file's text; undefined when it is not one (torn by a power cut, written by hand). */
export function parseLock(text: string): LockRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { token, launcher, state, url, children } = value as Record<string, unknown>;
  const identity = parseIdentity(launcher);
  if (typeof token !== 'string' || identity === undefined || !Array.isArray(children)) return undefined;
  if (state !== 'starting' && state !== 'running' && state !== 'stopping') return undefined;
  return {
    token,
    launcher: identity,
    state,
    url: typeof url === 'string' ? url : null,
    children: children.flatMap((child: unknown) => {
      const known = parseIdentity(child);
      const name: unknown =
        typeof child === 'object' && child !== null && 'name' in child ? child.name : undefined;
      return known === undefined ? [] : [{ ...known, name: typeof name === 'string' ? name : 'process' }];
    }),
  };
}

export function renderLock(record: LockRecord): string {
  const identity = ({ pid, startTime }: ProcessIdentity) => ({ pid, start_time: startTime });
  const value = {
    token: record.token,
    launcher: identity(record.launcher),
    state: record.state,
    url: record.url,
    children: record.children.map((child) => ({ name: child.name, ...identity(child) })),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * @param text content of the lock file; undefined when there is none
 * @param isStillRunning whether that very process, not merely its pid, is alive
 */
export function judgeLock(
  text: string | undefined,
  isStillRunning: (identity: ProcessIdentity) => boolean,
): LockVerdict {
  if (text === undefined) return { kind: 'free' };
  const record = parseLock(text);
  if (record === undefined) return { kind: 'stale', leftovers: [] };
  if (isStillRunning(record.launcher)) return { kind: 'held', record };
  return { kind: 'stale', leftovers: record.children.filter(isStillRunning) };
}

/** What to tell somebody who starts Spine while it runs. */
export function heldMessage(record: LockRecord, dataDir: string): string {
  const { pid } = record.launcher;
  const what = {
    starting: `is being started by process ${pid}`,
    running: `already runs (process ${pid}${record.url === null ? '' : `, ${record.url}`})`,
    stopping: `is still stopping (process ${pid})`,
  }[record.state];
  return (
    `Spine ${what} with the data directory ${dataDir}. ` +
    `Stop it with Ctrl-C in its terminal or "kill ${pid}", or set SPINE_DATA_DIR to run a second one.`
  );
}
