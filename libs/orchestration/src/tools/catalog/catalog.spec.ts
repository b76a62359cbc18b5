import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCategory, RunStatus } from '@spine/core';
import type { WorkflowInput } from '../../workflow/model.ts';
import { nearestRank, RunAnalytics } from './analytics.ts';
import type { RunRecordSummary } from './analytics.ts';
import { searchCatalog } from './catalog.ts';
import type { CatalogQuery } from './catalog.ts';

const NOW = new Date('2026-03-10T12:00:00Z');
const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * 86_400_000);
const run = (
  workflow: string,
  days: number,
  status: RunStatus,
  more: Partial<RunRecordSummary> & { ms?: number } = {},
): RunRecordSummary => {
  const createdAt = daysAgo(days);
  const { ms = 1_000, ...rest } = more;
  return {
    workflow,
    status,
    createdAt,
    startedAt: createdAt,
    endedAt: new Date(createdAt.getTime() + ms),
    errorCategory: null,
    ...rest,
  };
};
const records = [
  ...[100, 200, 300, 400, 500, 600, 700, 800, 900, 5_000].map((ms) =>
    run('etl', 1, RunStatus.Completed, { ms }),
  ),
  run('etl', 1, RunStatus.Failed, { errorCategory: ErrorCategory.TIMEOUT }),
  run('etl', 2, RunStatus.DeadLettered, { errorCategory: ErrorCategory.DATA_QUALITY }),
  run('etl', 2, RunStatus.Failed, { errorCategory: ErrorCategory.DATA_QUALITY }),
  run('etl', 2, RunStatus.TimedOut),
  run('etl', 2, RunStatus.Cancelled),
  run('etl', 0, RunStatus.Running, { endedAt: null }),
  run('etl', 31, RunStatus.Failed),
  run('etl', -1, RunStatus.Failed),
  run('report', 3, RunStatus.Completed, { ms: 50 }),
];
const analytics = new RunAnalytics(records, { now: NOW });

describe('analytics', () => {
  it('count what has ended within the window, cancelled runs apart', () => {
    expect(analytics.successRate('etl')).toEqual({ completed: 10, failed: 4, rate: 10 / 14 });
    expect(analytics.successRate()).toMatchObject({ completed: 11, failed: 4 });
    expect(analytics.successRate('nothing')).toEqual({ completed: 0, failed: 0, rate: null });
    expect(new RunAnalytics(records, { now: NOW, days: 60 }).successRate('etl').failed).toBe(5);
  });

  it('take percentiles of completed runs by nearest rank', () => {
    expect(analytics.durationPercentiles('etl')).toEqual({ count: 10, p50: 500, p90: 900, p99: 5_000 });
    expect(analytics.durationPercentiles('nothing')).toEqual({ count: 0, p50: null, p90: null, p99: null });
  });

  it('break failures down, the most frequent first', () => {
    expect(analytics.failureBreakdown('etl')).toEqual([
      { category: 'DATA_QUALITY', count: 2 },
      { category: 'TIMEOUT', count: 1 },
      { category: 'UNKNOWN', count: 1 },
    ]);
  });

  it('show every day, also those without runs', () => {
    const trend = new RunAnalytics(records, { now: NOW, days: 3 }).trend('etl');
    expect(trend.map(({ day, runs, rate }) => [day, runs, rate])).toEqual([
      ['2026-03-07', 0, null],
      ['2026-03-08', 4, 0],
      ['2026-03-09', 11, 10 / 11],
      ['2026-03-10', 1, null],
    ]);
    expect(trend[2]?.durationMs.p90).toBe(900);
  });

  it('want a window', () => {
    for (const days of [0, 1.5, 4_000, Number.NaN])
      expect(() => new RunAnalytics([], { now: NOW, days })).toThrow('is no window');
  });
});

describe('the nearest rank', () => {
  it('is the smallest value that so many do not exceed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (values, percent) => {
          const sorted = [...values].sort((a, b) => a - b);
          const found = nearestRank(sorted, percent) ?? -1;
          const covered = (limit: number): number => sorted.filter((each) => each <= limit).length * 100;
          expect(sorted).toContain(found);
          expect(covered(found)).toBeGreaterThanOrEqual(percent * sorted.length);
          const smaller = sorted.filter((each) => each < found).at(-1);
          if (smaller !== undefined) expect(covered(smaller)).toBeLessThan(percent * sorted.length);
        },
      ),
    );
  });
});

describe('the catalog', () => {
  const workflow = (
    name: string,
    more: Partial<WorkflowInput> = {},
  ): { workflow: WorkflowInput; version: number } => ({
    workflow: { name, steps: [{ kind: 'operation', name: 'load', handler: 'db.load' }], ...more },
    version: 1,
  });
  const entries = [
    workflow('report', { description: 'a report on etl runs', domain: 'ops', tags: ['daily'] }),
    workflow('etl', { domain: 'sec', tags: ['daily', 'sec'] }),
    workflow('finra.etl', {
      domain: 'finra',
      tags: ['weekly'],
      steps: [
        {
          kind: 'map',
          name: 'each',
          items: [1],
          iterator: [{ name: 'i', kind: 'lambda', handler: 'parse' }],
        },
        {
          kind: 'operation',
          name: 'store',
          handler: 'db.store',
          compensate: { kind: 'operation', handler: 'db.drop' },
        },
      ],
    }),
  ];
  const found = (query: CatalogQuery): string[] =>
    searchCatalog(entries, query, analytics).hits.map((hit) => hit.workflow.name);

  it('finds all words, the best match first', () => {
    expect(found({ text: 'ETL' })).toEqual(['etl', 'finra.etl', 'report']);
    expect(found({ text: 'etl daily' })).toEqual(['etl', 'report']);
    expect(found({ text: 'etl nowhere' })).toEqual([]);
    expect(found({})).toEqual(['etl', 'finra.etl', 'report']);
  });

  it('filters', () => {
    expect(found({ tags: ['daily', 'sec'] })).toEqual(['etl']);
    expect(found({ domain: 'ops' })).toEqual(['report']);
    expect(found({ kind: 'map' })).toEqual(['finra.etl']);
    expect(found({ handler: 'parse' })).toEqual(['finra.etl']);
    expect(found({ handler: 'db.drop' })).toEqual(['finra.etl']);
  });

  it('sorts by what runs were like, the unknown last', () => {
    expect(found({ sort: 'success_rate' })).toEqual(['report', 'etl', 'finra.etl']);
    expect(found({ sort: 'duration' })).toEqual(['report', 'etl', 'finra.etl']);
    expect(found({ sort: 'steps' })).toEqual(['etl', 'report', 'finra.etl']);
    const { hits } = searchCatalog(entries, { sort: 'name' }, analytics);
    expect(hits[0]).toMatchObject({
      version: 1,
      steps: 1,
      stats: { completed: 10, durationMs: { p50: 500 } },
    });
    expect(searchCatalog(entries).hits[0]?.stats).toBeNull();
  });

  it('is limited', () => {
    expect(searchCatalog(entries, { limit: 2 })).toMatchObject({ total: 3, hits: [{}, {}] });
    expect(() => searchCatalog(entries, { limit: 0 })).toThrow('is no limit');
  });
});
