import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@spine/source'] },
  ssr: { resolve: { conditions: ['@spine/source'] } },
  test: {
    include: ['libs/**/src/**/*.spec.ts', 'services/**/src/**/*.spec.ts', 'test/**/*.spec.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    allowOnly: false,
    retry: 0,
    fsModuleCache: false,
  },
});
