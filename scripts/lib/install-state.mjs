/**
 * Whether node_modules holds what package-lock.json says. A stamp of ours, written after each install, answers at once;
 * when it is missing or of another lock file (someone ran npm themselves), the list npm keeps in node_modules is
 * compared package by package.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = '.spine-install.json';

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function expectedStamp(root) {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  // Binaries differ by platform: a node_modules copied from another machine is stale.
  return { lock_sha256: lock, platform: `${process.platform}-${process.arch}` };
}

/** Packages of other platforms are left out by npm; it marks them in one of these ways. */
function mayBeAbsent(entry) {
  return Boolean(entry.optional || entry.devOptional || entry.os || entry.cpu || entry.libc);
}

/** True when everything `wanted` (package-lock.json) lists is in `present` (npm's own list of node_modules). */
export function sameInstall(wanted, present) {
  const packages = present?.packages ?? {};
  return Object.entries(wanted?.packages ?? {}).every(([path, entry]) => {
    if (path === '') return true;
    const found = packages[path];
    if (found === undefined) return mayBeAbsent(entry);
    // Of a link, to a package of the workspace, only the target counts.
    if (entry.link) return found.resolved === entry.resolved;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/** @returns {'fresh' | 'missing' | 'stale'} */
export function installState(root) {
  const modules = join(root, 'node_modules');
  if (!existsSync(join(modules, '.bin', 'tsc'))) return 'missing';
  const expected = expectedStamp(root);
  const stamp = readJson(join(modules, STAMP));
  if (stamp !== undefined && stamp.platform !== expected.platform) return 'stale';
  if (stamp?.lock_sha256 === expected.lock_sha256) return 'fresh';
  const present = readJson(join(modules, '.package-lock.json'));
  if (present === undefined || !sameInstall(readJson(join(root, 'package-lock.json')), present))
    return 'stale';
  writeStamp(root);
  return 'fresh';
}

/** To be called after a successful install. */
export function writeStamp(root) {
  writeFileSync(join(root, 'node_modules', STAMP), `${JSON.stringify(expectedStamp(root), null, 2)}\n`);
}
