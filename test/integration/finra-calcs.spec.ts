/** Calculations over more than one week, tier or capture, and the backfill that runs them. */
import { WeekEnding } from '@spine/core';
import {
  AGGREGATE_WEEK,
  BACKFILL_RANGE,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VOLUME_PER_DAY,
  NORMALIZE_WEEK,
} from '@spine/finra-otc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { openFinra } from './finra-support.ts';
import type { FinraBed, Params } from './finra-support.ts';

const LAST = WeekEnding.parse('2026-01-02');
/** Oldest first; the last one holds New Year's Day. */
const WEEKS = LAST.window(6).map(({ date }) => date);

let finra: FinraBed;
beforeAll(async () => {
  finra = await openFinra();
});
afterAll(() => finra.close());

const one = (shares: number, trades = 1) => [{ symbol: 'AABB', mpid: 'OTCN', shares, trades }];

async function aggregated(week: string, tier = 'OTC'): Promise<void> {
  await finra.run(NORMALIZE_WEEK, { week_ending: week, tier });
  await finra.run(AGGREGATE_WEEK, { week_ending: week, tier });
}

describe('a week over the end of a year', () => {
  it('has the trading days of both years', async () => {
    await finra.ingest(LAST.date, one(10, 3));
    await aggregated(LAST.date);
    expect(await finra.run(COMPUTE_VOLUME_PER_DAY, { week_ending: LAST.date, tier: 'OTC' })).toMatchObject({
      exchange_code: 'XNYS',
      trading_days: 4,
    });
    expect(
      await finra.query(
        'SELECT shares_per_day::text AS shares, trades_per_day::text AS trades FROM finra_otc_volume_per_day',
      ),
    ).toEqual([{ shares: '2.500000', trades: '0.750000' }]);
  });
});

describe('tier volume share', () => {
  it('is over the tiers that are captured, and complete with all three', async () => {
    const week_ending = '2025-12-12';
    for (const [tier, shares] of [
      ['OTC', 1],
      ['NMS_TIER_1', 5],
    ] as const) {
      await finra.ingest(week_ending, [{ symbol: 'AABB', mpid: 'OTCN', shares, trades: 1, tier }]);
      await aggregated(week_ending, tier);
    }
    expect(await finra.run(COMPUTE_TIER_VOLUME_SHARE, { week_ending })).toMatchObject({
      tiers: ['OTC', 'NMS_TIER_1'],
      is_complete: false,
      warnings: ['all_tiers_present: 2 of 3 tiers are captured'],
    });
    await finra.ingest(week_ending, [
      { symbol: 'AABB', mpid: 'OTCN', shares: 1, trades: 1, tier: 'NMS_TIER_2' },
    ]);
    await aggregated(week_ending, 'NMS_TIER_2');
    expect(await finra.run(COMPUTE_TIER_VOLUME_SHARE, { week_ending })).toMatchObject({
      skipped: false,
      is_complete: true,
      warnings: [],
    });
    // Another set of captures is another result: the first one stays.
    expect(
      await finra.query(
        'SELECT tier, share::text, rank, is_complete FROM finra_otc_tier_share ORDER BY is_complete, rank',
      ),
    ).toEqual([
      { tier: 'NMS_TIER_1', share: '0.8333333333', rank: 1, is_complete: false },
      { tier: 'OTC', share: '0.1666666667', rank: 2, is_complete: false },
      { tier: 'NMS_TIER_1', share: '0.7142857143', rank: 1, is_complete: true },
      { tier: 'OTC', share: '0.1428571429', rank: 2, is_complete: true },
      { tier: 'NMS_TIER_2', share: '0.1428571428', rank: 3, is_complete: true },
    ]);
  });
});

/** What a backfill answers or fails with; it waits for its steps a second at a time, and here that has always passed. */
async function hurried<T>(backfill: Promise<T>): Promise<T> {
  let isOver = false;
  const over = backfill.finally(() => (isOver = true));
  over.catch(() => undefined);
  await waitFor(
    async () => {
      await finra.owner.query(
        `UPDATE runs SET available_at = now(), dispatch_after = now() WHERE status = 'queued' AND available_at > now()`,
      );
      return isOver;
    },
    { timeoutMs: 60_000, intervalMs: 50, message: 'the end of the backfill' },
  );
  return over;
}

const backfill = (params: Params): Promise<Params> => hurried(finra.run(BACKFILL_RANGE, params));
const failedBackfill = (params: Params) => hurried(finra.fails(BACKFILL_RANGE, params));

const ROLLING = `SELECT week_ending::text AS week, symbol, weeks_present, is_complete, avg_shares::text AS avg, min_shares::text AS min,
    max_shares::text AS max, trend, cardinality(input_captures) AS captures FROM finra_otc_rolling`;

describe('a backfill', () => {
  it('runs what is missing, week by week, with windows that see the weeks before', async () => {
    await finra.clear();
    for (const [index, week] of WEEKS.entries()) await finra.ingest(week, one(10 * (index + 1)));
    const [first = '', second = ''] = WEEKS;
    await finra.run(NORMALIZE_WEEK, { week_ending: first, tier: 'OTC' });
    const params = { from_week: first, to_week: LAST.date, tier: 'otc equity' };
    const operations = ['compute_rolling', 'aggregate_week', 'normalize_week'];
    const report = await backfill({ ...params, operations });
    expect(report).toMatchObject({
      tier: 'OTC',
      weeks: 6,
      steps: 18,
      done: 18,
      failed: [],
      not_ingested: [],
    });
    expect(await finra.query(`${ROLLING} ORDER BY week_ending DESC LIMIT 1`)).toEqual([
      {
        week: LAST.date,
        symbol: 'AABB',
        weeks_present: 6,
        is_complete: true,
        avg: '35.000000',
        min: '10',
        max: '60',
        trend: 'UP',
        captures: 6,
      },
    ]);
    expect(await finra.query(`${ROLLING} ORDER BY week_ending LIMIT 2`)).toMatchObject([
      { week: first, weeks_present: 1, is_complete: false },
      { week: second, weeks_present: 2, is_complete: false },
    ]);
    const children = `SELECT name, lane, priority, tags, status, params->>'week_ending' AS week FROM runs
      WHERE parent_run_id = (SELECT id FROM runs WHERE name LIKE '%backfill_range' ORDER BY created_at DESC LIMIT 1)`;
    const submitted = await finra.query<{ name: string; week: string }>(children);
    // The step that was done before is not done again.
    expect(submitted).toHaveLength(17);
    expect(submitted).not.toContainEqual(expect.objectContaining({ name: NORMALIZE_WEEK, week: first }));
    expect(submitted).toContainEqual({
      name: COMPUTE_ROLLING,
      lane: 'backfill',
      priority: 3,
      tags: ['backfill'],
      status: 'completed',
      week: LAST.date,
    });

    // Nothing is left to do.
    expect(await backfill({ ...params, operations })).toMatchObject({ steps: 18, done: 18 });
    expect(await finra.query(children)).toEqual([]);

    // A correction of one week is another capture of it.
    await finra.ingest(second, one(21));
    await backfill({ ...params, to_week: second, operations });
    expect((await finra.query<{ name: string }>(children)).map(({ name }) => name).sort()).toEqual([
      AGGREGATE_WEEK,
      COMPUTE_ROLLING,
      NORMALIZE_WEEK,
    ]);
    expect(await finra.query(`${ROLLING} WHERE week_ending = '${second}' ORDER BY max_shares`)).toMatchObject(
      [{ max: '20' }, { max: '21' }],
    );
  });

  it('leaves out weeks without rows, and says which', async () => {
    await finra.clear();
    const [first, gap, third] = WEEKS;
    await finra.ingest(first ?? '', one(1));
    await finra.ingest(third ?? '', one(3));
    const params = { from_week: first, to_week: third, tier: 'OTC', operations: ['normalize_week'] };
    expect(await backfill(params)).toMatchObject({
      weeks: 3,
      steps: 2,
      done: 2,
      not_ingested: [gap],
    });
    const error = await failedBackfill({ ...params, tier: 'T1' });
    expect(error).toMatchObject({ type: 'MissingInputError' });
  });

  it('fails when a step fails or cannot start, after the others are done', async () => {
    await finra.clear();
    const [bad, good] = WEEKS;
    await finra.ingest(bad ?? '', [{ symbol: 'ZVZZT', mpid: 'OTCN', shares: 9, trades: 1 }]);
    await finra.ingest(good ?? '', one(3));
    const params = { from_week: bad, to_week: good, tier: 'OTC' };
    const operations = ['normalize_week', 'aggregate_week'];
    const error = await failedBackfill({ ...params, operations });
    expect(error).toMatchObject({ type: 'BackfillIncompleteError' });
    expect(error.message).toContain('1 steps failed and 1 could not start');
    expect(error.message).toContain(`${bad}:normalize_week, ${bad}:aggregate_week`);
    expect(await finra.query(`SELECT week_ending::text AS week FROM finra_otc_week_summary`)).toEqual([
      { week: good },
    ]);
    const alone = await failedBackfill({
      ...params,
      from_week: bad,
      to_week: bad,
      operations: ['compute_rolling'],
    });
    expect(alone.message).toContain('must be run or asked for too');
  });

  it.each([
    [{ from_week: '2025-12-12', to_week: '2025-12-05' }, 'params.to_week', 'is before from_week'],
    [{ from_week: '1990-01-05', to_week: '2025-12-05' }, 'params.to_week', 'more than 522 weeks'],
    [{ from_week: '2025-12-11', to_week: '2025-12-12' }, 'params.from_week', 'not a Friday'],
    [{ operations: ['ingest_week'] }, 'params.operations[0]', 'normalize_week'],
    [{ operations: [] }, 'params.operations', '1'],
  ])('is refused: %j', async (params, field, message) => {
    const outcome = await finra.engine.dispatcher.submit({
      kind: 'operation',
      name: BACKFILL_RANGE,
      params: { from_week: '2025-12-05', to_week: '2025-12-12', tier: 'OTC', ...params },
    });
    expect(outcome).toMatchObject({ type: 'invalid', issues: [{ field }] });
    expect(JSON.stringify(outcome)).toContain(message);
    expect(JSON.stringify(outcome)).not.toContain('week_ending:');
  });
});
