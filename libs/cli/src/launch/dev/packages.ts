/** Which code runs in which service, as the packages of the project say themselves. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@spine/core';
import { SERVICES } from '../fleet.ts';
import type { Service } from '../fleet.ts';

export interface CodePackage {
  readonly name: string;
  /** Below the project: `libs/core`. */
  readonly dir: string;
  /** Names of the packages it imports, of this project and others. */
  readonly dependencies: readonly string[];
}

/** A package that at least one service runs. */
export interface ServedPackage {
  readonly dir: string;
  readonly services: ReadonlySet<Service>;
}

/** What each service runs, itself included: its own package and everything that this imports, directly or not. Pure. */
export function servedPackages(packages: readonly CodePackage[]): ServedPackage[] {
  const byName = new Map(packages.map((each) => [each.name, each]));
  const served = new Map<string, Set<Service>>();
  for (const service of SERVICES) {
    const waiting = packages.filter(({ dir }) => dir === `services/${service}`);
    const seen = new Set(waiting);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      served.set(next.dir, (served.get(next.dir) ?? new Set()).add(service));
      for (const name of next.dependencies) {
        const imported = byName.get(name);
        if (imported === undefined || seen.has(imported)) continue;
        seen.add(imported);
        waiting.push(imported);
      }
    }
  }
  return [...served].map(([dir, services]) => ({ dir, services })).sort((a, b) => (a.dir < b.dir ? -1 : 1));
}

interface Manifest {
  readonly name?: unknown;
  readonly workspaces?: unknown;
  readonly dependencies?: unknown;
}

function readManifest(dir: string): Manifest | null {
  const file = join(dir, 'package.json');
  if (!existsSync(file)) return null;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? value : null;
  } catch (error) {
    throw new ConfigError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** `libs/*` is every folder in libs; anything else is taken as it stands. */
function foldersOf(root: string, pattern: string): string[] {
  if (!pattern.endsWith('/*')) return [pattern];
  const parent = pattern.slice(0, -2);
  if (!existsSync(join(root, parent))) return [];
  return readdirSync(join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${parent}/${name}`);
}

/**
 * The packages of a project, by the workspaces of its package.json.
 * @throws ConfigError where the services' sources are not there: an installed or deployed Spine has none
 */
export function readPackages(root: string): CodePackage[] {
  const workspaces = readManifest(root)?.workspaces;
  const patterns = Array.isArray(workspaces) ? workspaces.filter((each) => typeof each === 'string') : [];
  const packages = patterns
    .flatMap((pattern) => foldersOf(root, pattern))
    .flatMap((dir): CodePackage[] => {
      const manifest = readManifest(join(root, dir));
      if (typeof manifest?.name !== 'string') return [];
      const { dependencies } = manifest;
      const names =
        typeof dependencies === 'object' && dependencies !== null ? Object.keys(dependencies) : [];
      return [{ name: manifest.name, dir, dependencies: names }];
    });
  const missing = SERVICES.filter((service) => !existsSync(join(root, 'services', service, 'src')));
  if (missing.length > 0) {
    throw new ConfigError(
      `spine dev compiles and watches sources, and ${join(root, 'services', missing[0] ?? '', 'src')} is not there. ` +
        'Run it in a checkout of the project; spine start runs what is built.',
    );
  }
  return packages;
}
