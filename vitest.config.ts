import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';

// The packages' sources, not their builds. Exactly this one: adding `import` makes pg resolve to a build that breaks.
const conditions = ['@spine/source'];

const report = process.env['SPINE_TEST_REPORT'];

/** Reads what its process has used, or does something to it for good. */
const NEEDS_ITS_OWN_PROCESS = ['libs/execution/src/worker/recycle.spec.ts'];

interface Group {
  readonly name: string;
  readonly include: string[];
  readonly exclude?: string[];
  /** Whether every file gets a process of its own. */
  readonly isolate: boolean;
}

function group({ name, include, exclude = [], isolate }: Group): TestProjectInlineConfiguration {
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      name,
      include,
      exclude,
      isolate,
      pool: 'forks',
      testTimeout: 30_000,
      hookTimeout: 60_000,
      retry: 0,
      allowOnly: false,
      // Its key does not cover tsconfig files: a changed decorator setting would go unnoticed.
      fsModuleCache: false,
    },
  };
}

export default defineConfig({
  test: {
    // Once for all groups.
    globalSetup: ['libs/testing/src/global-setup.ts'],
    // Most files wait for servers more than they compute; left alone, two cores would get one file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Ending Postgres, Redis and what killed test files have left.
    teardownTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      // Loading the packages takes longer than most of these files: a process loads them once for many.
      group({
        name: 'unit',
        include: ['libs/**/src/**/*.spec.ts', 'services/**/src/**/*.spec.ts'],
        exclude: NEEDS_ITS_OWN_PROCESS,
        isolate: false,
      }),
      group({ name: 'integration', include: ['test/integration/**/*.spec.ts'], isolate: false }),
      // These kill processes, set exit handlers and measure.
      group({
        name: 'processes',
        include: ['test/**/*.spec.ts', ...NEEDS_ITS_OWN_PROCESS],
        exclude: ['test/integration/**'],
        isolate: true,
      }),
    ],
  },
});
