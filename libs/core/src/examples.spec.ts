/** The examples of the documentation, line by line as they stand there. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  adjustmentFactor,
  AdjustmentChain,
  AdjustmentMethod,
  ContentSource,
  ContentType,
  CorrectionReason,
  CorrectionRecord,
  DateRange,
  ExecutionContext,
  facetCounts,
  hashContent,
  hashFields,
  hhi,
  LogicalKeyColumns,
  parseDecimal,
  parsePlainDate,
  Rational,
  RollingWindow,
  rollingStatistics,
  shares,
  similarity,
  sumDecimals,
  TagGroupSet,
  VersionedContent,
  WeekEnding,
  createBackfillPlan,
  markPartitionDone,
  markPartitionFailed,
  planProgressPct,
  remainingKeys,
  resumeBackfill,
  startBackfill,
} from './index.ts';

const now = new Date('2025-12-26T12:00:00Z');

const ROOT = new URL('../../../', import.meta.url);
const lines = (path: string): string =>
  readFileSync(new URL(path, ROOT), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
const blocksOf = (path: string): string[] =>
  [...lines(path).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block);

describe('the documentation', () => {
  const run = [
    'libs/core/src/examples.spec.ts',
    'test/integration/ledger-idempotency.spec.ts',
    'test/integration/publish-example.spec.ts',
    'test/integration/readiness.spec.ts',
    'test/integration/work-item.spec.ts',
  ]
    .map(lines)
    .join('\n');

  it.each([
    ['docs/temporal.md', 3],
    ['docs/finance.md', 3],
    ['docs/primitives.md', 6],
    ['docs/backfills.md', 1],
    ['docs/publish.md', 1],
    ['docs/readiness.md', 2],
  ])('shows in %s only what is run', (page, count) => {
    const blocks = blocksOf(page);
    expect(blocks).toHaveLength(count);
    for (const block of blocks) expect(run).toContain(block);
  });
});

describe('docs/temporal.md', () => {
  it('names weeks by their Friday', () => {
    const week = WeekEnding.parse('2025-12-26');
    expect(() => WeekEnding.parse('2025-12-25')).toThrow('is a Thursday, not a Friday');
    expect(WeekEnding.fromAnyDate('2025-12-23').equals(week)).toBe(true);
    expect(WeekEnding.fridayBefore('2025-12-15').toString()).toBe('2025-12-12');
    expect(week.window(3).map(String)).toEqual(['2025-12-12', '2025-12-19', '2025-12-26']);
    expect(week.days.toString()).toBe('2025-12-20..2025-12-26');
    expect(week.isoWeek).toEqual({ year: 2025, week: 52 });
  });

  it('works on ranges of days', () => {
    const december = DateRange.month('2025-12');
    expect(december.intersect(DateRange.parse('2025-12-26..2026-01-09'))?.length).toBe(6);
    expect(december.subtract(DateRange.parse('2025-12-02..2025-12-30')).map(String)).toEqual([
      '2025-12-01..2025-12-01',
      '2025-12-31..2025-12-31',
    ]);
    expect(december.splitByWeek()).toHaveLength(5);
    const gaps = ['2025-12-03..2025-12-04', '2025-12-01..2025-12-02', '2025-12-06'];
    expect(DateRange.merge(gaps.map((each) => DateRange.parse(each))).map(String)).toEqual([
      '2025-12-01..2025-12-04',
      '2025-12-06..2025-12-06',
    ]);
  });

  it('rolls over a window with a gap', () => {
    const volume = new Map([
      ['2025-12-05', parseDecimal('100')],
      ['2025-12-19', parseDecimal('130')],
      ['2025-12-26', parseDecimal('145')],
    ]);
    const fourWeeks = new RollingWindow<WeekEnding>({ size: 4, stepBack: (each) => each.previous() });
    const result = fourWeeks.compute(
      WeekEnding.parse('2025-12-26'),
      (each) => volume.get(each.toString()),
      (present) => rollingStatistics(present, { places: 2 }),
    );
    expect([result.periodsPresent, result.periodsTotal, result.isComplete]).toEqual([3, 4, false]);
    expect(result.missing.map(String)).toEqual(['2025-12-12']);
    expect(result.aggregates?.avg.toString()).toBe('125');
    expect(result.aggregates?.trend?.slope.toString()).toBe('15');
    expect(result.aggregates?.trend?.direction).toBe('UP');
  });
});

describe('docs/finance.md', () => {
  it('shares out a whole', () => {
    const venues = ['1', '1', '1'].map((text) => parseDecimal(text));
    const parts = shares(venues, 4) ?? [];
    expect(parts.map(String)).toEqual(['0.3334', '0.3333', '0.3333']);
    expect(sumDecimals(parts).toString()).toBe('1');
    expect(hhi(parts)?.points.toFixed(2)).toBe('3333.33');
  });

  it('adjusts prices and quantities exactly', () => {
    const split = (effectiveDate: string, factor: string) =>
      adjustmentFactor({ effectiveDate, factor, method: AdjustmentMethod.SPLIT });
    const chain = new AdjustmentChain([split('2020-08-31', '4'), split('2014-06-09', '7')]);
    expect(chain.compositeFactor.toString()).toBe('28');
    expect(chain.unadjust(parseDecimal('700')).toDecimal(2).toString()).toBe('25');
    expect(chain.adjustAsOf(parseDecimal('100'), parsePlainDate('2014-06-09')).toString()).toBe('700');
    const since = chain.factorBetween(parsePlainDate('2015-01-02'), parsePlainDate('2021-01-04'));
    expect(Rational.fromDecimal(parseDecimal('109.33')).over(since).toDecimal(4).toString()).toBe('27.3325');
  });

  it('keeps what was corrected', () => {
    const restated = CorrectionRecord.create({
      entityKey: 'AAPL',
      fieldName: 'eps_diluted',
      originalValue: parseDecimal('1.52'),
      correctedValue: parseDecimal('1.46'),
      reason: CorrectionReason.RESTATEMENT,
      correctedBy: 'filing-parser',
      correctedAt: new Date('2025-03-15T14:00:00Z'),
      sourceRef: '10-K/A filed 2025-03-15',
    });
    expect(restated.delta.toString()).toBe('-0.06');
    expect(restated.pctChange?.toFixed(4)).toBe('-0.0395');
  });
});

describe('docs/primitives.md', () => {
  it('passes on who does the work', () => {
    const root = ExecutionContext.create({ startedAt: now, workflow: 'finra.weekly' }).withBatch('week-52');
    const child = root.child({ startedAt: now });
    expect(child.parentExecutionId).toBe(root.executionId);
    expect(child.batchId).toBe('week-52');
    expect(child.lineage).toEqual([root.executionId, child.executionId]);
    expect(root.withWorkflow('finra.repair').executionId).toBe(root.executionId);
  });

  it('names rows by their key', () => {
    const columns = LogicalKeyColumns.of('week_ending', 'tier');
    const key = columns.key({ week_ending: '2025-12-26', tier: 'OTC' });
    expect(key.whereClause()).toEqual({
      text: '"week_ending" = $1 AND "tier" = $2',
      values: ['2025-12-26', 'OTC'],
    });
    expect(key.text).toBe('{"tier":"OTC","week_ending":"2025-12-26"}');
  });

  it('tells content from who wrote it', () => {
    const row = { week_ending: '2025-12-26', symbol: 'AAPL', shares: '100', run_id: 'first' };
    expect(hashContent({ ...row, run_id: 'second' })).toBe(hashContent(row));
    expect(hashContent({ ...row, shares: '101' })).not.toBe(hashContent(row));
    expect(hashFields({ ...row, shares: '101' }, ['week_ending', 'symbol'])).toBe(
      hashFields(row, ['symbol', 'week_ending']),
    );
  });

  it('keeps every version', () => {
    const headline = VersionedContent.create({
      id: 'h-1',
      contentType: ContentType.HEADLINE,
      content: 'Volume rises',
      source: ContentSource.HUMAN,
      author: 'desk',
      createdAt: now,
    });
    const edit = { source: ContentSource.HUMAN_EDITED, author: 'editor', createdAt: now };
    const second = headline.append({ ...edit, content: 'Volume rose' }, 1);
    expect(second.type).toBe('appended');
    const content = second.type === 'appended' ? second.content : headline;
    expect(content.append({ ...edit, content: 'Volume fell' }, 1).type).toBe('conflict');
    expect(content.append({ ...edit, content: 'Volume rose' }, 2).type).toBe('unchanged');
  });

  it('finds by tags', () => {
    const apple = TagGroupSet.of({ tickers: ['AAPL'], sectors: ['tech/hardware'] });
    const adobe = TagGroupSet.of({ tickers: ['ADBE'], sectors: ['tech/software'] });
    expect(apple.matchesFacets(TagGroupSet.of({ sectors: ['tech', 'energy'] }))).toBe(true);
    expect(apple.matchesAll(TagGroupSet.of({ sectors: ['tech', 'energy'] }))).toBe(false);
    expect(
      facetCounts([{ tags: apple }, { tags: adobe }])
        .get('sectors')
        ?.get('tech'),
    ).toBe(2);
    expect(similarity(apple, adobe)?.toString()).toBe('1/6');
    expect(similarity(apple, adobe, { weights: { tickers: 0 } })?.toString()).toBe('1/3');
  });
});

describe('docs/backfills.md', () => {
  it('plans partitions, and goes on with what failed', () => {
    let plan = startBackfill(
      createBackfillPlan({
        domain: 'equity',
        source: 'prices',
        reason: 'GAP',
        partitionKeys: ['AAPL', 'MSFT', 'GOOG'],
      }),
    );
    plan = markPartitionDone(plan, 'AAPL'); // planProgressPct(plan) is 33.33, rounded down
    plan = markPartitionFailed(plan, 'MSFT', 'no file');
    plan = markPartitionDone(plan, 'GOOG'); // status FAILED: one of three failed
    plan = resumeBackfill(plan); // remainingKeys(plan) is ['MSFT']
    expect(remainingKeys(plan)).toEqual(['MSFT']);
    expect(plan.status).toBe('RUNNING');
    const failed = markPartitionFailed(plan, 'MSFT', 'no file');
    expect(failed.status).toBe('FAILED');
    expect(planProgressPct(failed)).toBe(66.66);
  });
});
