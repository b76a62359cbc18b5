import { describe, expect, it } from 'vitest';
import { errorsIn } from './build.ts';
import { changedPaths, isCode, pathsText, planOf } from './changes.ts';
import { servedPackages } from './packages.ts';

const NONE: ReadonlySet<never> = new Set();
const packages = servedPackages([
  { name: '@x/core', dir: 'libs/core', dependencies: [] },
  { name: '@x/domain', dir: 'libs/domains/a', dependencies: ['@x/core', 'zod'] },
  // Imports that lead back end nothing.
  { name: '@x/catalog', dir: 'libs/catalog', dependencies: ['@x/domain', '@x/catalog'] },
  { name: '@x/cli', dir: 'libs/cli', dependencies: ['@x/core'] },
  { name: '@x/api', dir: 'services/api', dependencies: ['@x/catalog', 'fastify'] },
  { name: '@x/worker', dir: 'services/worker', dependencies: ['@x/catalog'] },
  { name: '@x/scheduler', dir: 'services/scheduler', dependencies: ['@x/core'] },
]);

describe('services that a change touches', () => {
  it.each([
    ['libs/domains/a/src/handler.ts', ['api', 'worker']],
    ['libs/core/src/deep/a.ts', ['api', 'worker', 'scheduler']],
    ['services/worker/src/main.ts', ['worker']],
    // The launcher's own code, and a name that only begins like a package's.
    ['libs/cli/src/a.ts', []],
    ['libs/core-more/src/a.ts', []],
  ])('of %s are those whose code imports it', (path, services) => {
    expect(planOf([path], packages, NONE)).toEqual({ migrates: false, services: new Set(services) });
  });

  it('are joined by those that still owe new code', () => {
    const { services } = planOf(['services/worker/src/a.ts'], packages, new Set(['scheduler']));
    expect([...services]).toEqual(['worker', 'scheduler']);
  });

  it('are none for a migration, which is applied', () => {
    expect(planOf(['migrations/0099_more.sql'], packages, NONE)).toEqual({
      migrates: true,
      services: new Set(),
    });
  });
});

it('only what services run is code', () => {
  const paths = ['a.ts', 'b/a.spec.ts', 'b/.a.ts', '.#a.ts', 'a.ts~', 'a.md', 'm/0001_a.sql', 'data.json'];
  expect(paths.filter(isCode)).toEqual(['a.ts', 'm/0001_a.sql', 'data.json']);
});

it('files that are new, gone or different have changed', () => {
  const before = new Map(Object.entries({ same: '1', gone: '1', other: '1' }));
  const after = new Map(Object.entries({ same: '1', other: '2', fresh: '1' }));
  expect(changedPaths(before, after)).toEqual(['fresh', 'gone', 'other']);
});

it('many paths are counted', () => {
  expect(pathsText(['a'])).toBe('a');
  expect(pathsText(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more');
});

it('of what the compiler says the errors are counted and the first lines shown', () => {
  const error = "libs/a.ts(1,2): error TS2322: Type 'x' is not assignable.\n  because it is none\n";
  expect(errorsIn(`${error}\n${error}`)).toMatchObject({ errors: 2, lines: { length: 4 } });
  const long = errorsIn(error.repeat(15));
  expect(long.errors).toBe(15);
  expect(long.lines).toHaveLength(21);
  expect(long.lines.at(-1)).toBe('… and 10 more lines');
});
