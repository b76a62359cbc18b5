import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

// The packages' sources, not their builds. Exactly this one: adding `import` makes pg resolve to a build that breaks.
const conditions = ['@spine/source'];

const report = process.env['SPINE_TEST_REPORT'];

/** These start and kill processes of their own by the dozen, or do something to theirs for good. */
const NEED_THEIR_OWN_PROCESS = [
  'test/e2e/**/*.spec.ts',
  'test/chaos/short.spec.ts',
  'libs/execution/src/worker/recycle.spec.ts',
];

/** In the order in which they start: the end of a run should be made of many short files. */
const GROUPS = ['processes', 'integration', 'unit'] as const;
type GroupName = (typeof GROUPS)[number];

/** Mostly waiting: whatever starts beside them costs them little. */
const START_FIRST = ['/test/chaos/short.spec.ts', '/test/e2e/launcher.spec.ts'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const first = START_FIRST.findIndex((path) => moduleId.endsWith(path));
      return first === -1 ? START_FIRST.length + GROUPS.findIndex((name) => name === project.name) : first;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

interface Group {
  readonly name: GroupName;
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
      setupFiles: name === 'unit' ? [] : ['libs/testing/src/each-file.ts'],
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
    // Most files wait for servers more than they compute: two cores are busy with three at a time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Ending Postgres, Redis and what killed test files have left.
    teardownTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    sequence: { sequencer: LongestFirst },
    projects: [
      group({ name: 'processes', include: NEED_THEIR_OWN_PROCESS, isolate: true }),
      // Loading the packages takes longer than most of these files: a process loads them once for many.
      group({
        name: 'integration',
        include: ['test/**/*.spec.ts'],
        exclude: NEED_THEIR_OWN_PROCESS,
        isolate: false,
      }),
      group({
        name: 'unit',
        include: ['libs/**/src/**/*.spec.ts', 'services/**/src/**/*.spec.ts'],
        exclude: NEED_THEIR_OWN_PROCESS,
        isolate: false,
      }),
    ],
  },
});
