/** What has to be remembered beside a cluster: its passwords and its port. */
import { randomBytes } from 'node:crypto';
import { chown, readFile, rename, writeFile } from 'node:fs/promises';
import type { RunAs } from './run-as.ts';

export interface ClusterState {
  readonly superuserPassword: string;
  readonly password: string;
  /** The port used last; null before the first start. */
  readonly port: number | null;
}

/** `<data dir>.json`, mode 0600. */
export function stateFileOf(dataDir: string): string {
  return `${dataDir}.json`;
}

export function newState(): ClusterState {
  const secret = (): string => randomBytes(24).toString('base64url');
  return { superuserPassword: secret(), password: secret(), port: null };
}

/** The remembered state; undefined when there is none or it cannot be understood. */
export async function readState(dataDir: string): Promise<ClusterState | undefined> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(stateFileOf(dataDir), 'utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { superuser_password: superuserPassword, password, port } = parsed as Record<string, unknown>;
  if (typeof superuserPassword !== 'string' || typeof password !== 'string') return undefined;
  return { superuserPassword, password, port: typeof port === 'number' ? port : null };
}

/**
 * Replaces the state file whole, so that an interrupted write leaves the previous one. As root it is given to the
 * cluster's owner, who may be the one to start it next time.
 */
export async function writeState(
  dataDir: string,
  state: ClusterState,
  owner: RunAs | undefined,
): Promise<void> {
  const file = stateFileOf(dataDir);
  const unfinished = `${file}.${process.pid}`;
  const text = JSON.stringify(
    { superuser_password: state.superuserPassword, password: state.password, port: state.port },
    null,
    2,
  );
  await writeFile(unfinished, `${text}\n`, { mode: 0o600 });
  if (owner) await chown(unfinished, owner.uid, owner.gid);
  await rename(unfinished, file);
}
