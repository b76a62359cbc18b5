/** What has changed, and what follows from it. Pure. */
import { SERVICES } from '../fleet.ts';
import type { Service } from '../fleet.ts';
import type { ServedPackage } from './packages.ts';

/** Files by their path below the project, with `/`; what changes with the content. */
export type Snapshot = ReadonlyMap<string, string>;

const CODE = /\.(?:ts|mts|json|sql)$/;
const NOT_SERVED = /\.spec\.ts$|(?:^|\/)(?:\.|#|~)[^/]*$/;

/** Whether a service may run it: not its tests, and nothing that an editor leaves beside it. */
export function isCode(path: string): boolean {
  return CODE.test(path) && !NOT_SERVED.test(path);
}

/** Paths that are new, gone or different, in order. */
export function changedPaths(before: Snapshot, after: Snapshot): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}

export const MIGRATIONS = 'migrations';

export interface DevPlan {
  /** Whether the schema is brought up to date first. */
  readonly migrates: boolean;
  /** Those that get new code. */
  readonly services: ReadonlySet<Service>;
}

/**
 * @param paths what has changed
 * @param owed services that should have got new code before and have not: it could not be built, or did not start
 */
export function planOf(
  paths: readonly string[],
  packages: readonly ServedPackage[],
  owed: ReadonlySet<Service>,
): DevPlan {
  const touched = packages.filter(({ dir }) => paths.some((path) => path.startsWith(`${dir}/`)));
  return {
    migrates: paths.some((path) => path.startsWith(`${MIGRATIONS}/`)),
    services: new Set(
      SERVICES.filter((each) => owed.has(each) || touched.some(({ services }) => services.has(each))),
    ),
  };
}

/** Paths that are named; of more, how many. */
const SHOWN = 3;

/** `libs/core/src/a.ts, libs/core/src/b.ts and 4 more`. */
export function pathsText(paths: readonly string[]): string {
  const more = paths.length - SHOWN;
  return `${paths.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
