import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// The packages' sources, not their builds. Exactly this one: adding `import` makes pg resolve to a build that breaks.
const conditions = ['@spine/source'];

const report = process.env['SPINE_TEST_REPORT'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['libs/**/src/**/*.spec.ts', 'services/**/src/**/*.spec.ts', 'test/**/*.spec.ts'],
    globalSetup: ['libs/testing/src/global-setup.ts'],
    // A process per file: tests kill workers, set exit handlers and hold servers.
    pool: 'forks',
    // Most files wait for servers more than they compute; left alone, two cores would get one file at a time.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Ending Postgres, Redis and what killed test files have left.
    teardownTimeout: 60_000,
    retry: 0,
    allowOnly: false,
    // Its key does not cover tsconfig files: a changed decorator setting would go unnoticed.
    fsModuleCache: false,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
