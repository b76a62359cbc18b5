import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Failure } from './failure.mjs';
import { inRoot } from './paths.mjs';

/** What Spine itself runs on; the bootstrap alone also runs on Node 20. */
export const NEEDED_NODE = '22.12.0';
export const BOOTSTRAP_NODE = '20.0.0';

/** True when version `have` ("v24.1.0") is `need` or newer. */
export function isAtLeast(have, need) {
  const numbers = (text) =>
    text
      .replace(/^v/, '')
      .split('.')
      .map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(have), numbers(need)];
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return true;
}

/**
 * The program to run Spine with: the Node that the install brings, else the one running this, whichever is new enough.
 * `installed` and `current` are {path, version}; version undefined where it does not run on this machine.
 */
export function chooseNode(installed, current) {
  for (const candidate of [installed, current]) {
    if (candidate?.version !== undefined && isAtLeast(candidate.version, NEEDED_NODE)) return candidate.path;
  }
  throw new Failure(
    `Spine needs Node ${NEEDED_NODE} or newer. This is Node ${current.version}, and the install brought none for ` +
      `${process.platform}-${process.arch}. Install one from https://nodejs.org (or "nvm install 24") and run the command again.`,
  );
}

export function requireBootstrapNode() {
  if (isAtLeast(process.versions.node, BOOTSTRAP_NODE)) return;
  throw new Failure(
    `Spine needs Node 20 or newer to install itself; this is Node ${process.versions.node}. ` +
      'Install one from https://nodejs.org (or "nvm install 24") and run the command again.',
  );
}

/** The Node to run everything after the install with. */
export function findNode() {
  const path = inRoot('node_modules', '.bin', 'node');
  let installed;
  if (existsSync(path)) {
    const result = spawnSync(path, ['--version'], { encoding: 'utf8' });
    installed = { path, version: result.status === 0 ? result.stdout.trim() : undefined };
  }
  return chooseNode(installed, { path: process.execPath, version: process.versions.node });
}
