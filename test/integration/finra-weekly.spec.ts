/** The weekly workflow on a real week: every tier from its file to the gates, again, forced, and where it cannot. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCatalog } from '@spine/catalog';
import type { RunRecord } from '@spine/database';
import {
  AGGREGATE_WEEK,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_SHARE,
  NORMALIZE_WEEK,
  TIERS,
  WEEKLY_REFRESH,
} from '@spine/finra-otc';
import { workflowStartSpec } from '@spine/orchestration';
import { listIn } from './api-support.ts';
import type { Json } from './api-support.ts';
import { FIXTURES } from './finra-ingest-support.ts';
import { AFTER_REFRESH, countFile, openWeekly, WEEK, writeWeekOfTiers } from './finra-weekly-support.ts';
import type { WeeklyBed } from './finra-weekly-support.ts';

const OPERATIONS = {
  normalize: NORMALIZE_WEEK,
  aggregate: AGGREGATE_WEEK,
  venue_share: COMPUTE_VENUE_SHARE,
  rolling: COMPUTE_ROLLING,
};
const BROKEN = 'finra_otc_weekly_otc_broken_20251222.csv';
const BROKEN_WEEK = '2025-12-19';

let bed: WeeklyBed;
let first: RunRecord;
beforeAll(async () => {
  bed = await openWeekly();
  writeWeekOfTiers(bed.folder);
  copyFileSync(join(FIXTURES, BROKEN), join(bed.folder, BROKEN));
  await bed.begin();
  first = await bed.refresh({ week_ending: WEEK });
});
afterAll(() => bed.close());

const resultOf = (run: RunRecord): Json => run.result as Json;
const tierOf = (run: RunRecord, tier: string): Json => {
  const found = listIn(resultOf(run)['tiers']).find((each) => String(each['tier']) === tier);
  if (found === undefined) throw new Error(`${tier} is not among the tiers`);
  return found;
};
const stepsOf = (run: RunRecord): Json[] => TIERS.map((tier) => tierOf(run, tier)['steps'] ?? {});

/** Who wrote the rows that are there. */
const writers = () =>
  bed.query(`SELECT 'symbol' AS of, run_id, count(*)::int AS rows FROM finra_otc_symbol_summary GROUP BY 2
    UNION ALL SELECT 'venue', run_id, count(*)::int FROM finra_otc_venue_share GROUP BY 2
    UNION ALL SELECT 'raw', run_id, count(*)::int FROM finra_otc_transparency_raw GROUP BY 2 ORDER BY 1, 2`);

describe('a week of all tiers', () => {
  it.each(TIERS)('%s has the volume of its file in every table', async (tier) => {
    const file = countFile(bed.folder, tier);
    expect(tierOf(first, tier)['file']).toMatchObject({
      file_rows: file.rows,
      inserted: file.rows,
      rejected: 0,
    });
    const gates = listIn(resultOf(first)['gates']?.['tiers']);
    expect(gates.find((each) => String(each['tier']) === tier)).toMatchObject({
      total_shares: file.shares,
      total_trades: file.trades,
      rows_seen: file.rows,
      rows_rejected: 0,
    });
    const [stored] = await bed.query(
      `SELECT count(*)::int AS symbols, sum(total_shares)::text AS shares,
         (SELECT sum(total_shares)::text FROM finra_otc_venue_share v WHERE v.tier = $1) AS by_venue
       FROM finra_otc_symbol_summary s WHERE tier = $1`,
      [tier],
    );
    expect(stored).toEqual({ symbols: file.symbols, shares: file.shares, by_venue: file.shares });
  });

  it('gives the figures that the operations give by hand', async () => {
    // The whole real file takes its time: its totals are checked against the file anyway.
    for (const tier of ['NMS_TIER_1', 'NMS_TIER_2']) {
      const steps = tierOf(first, tier)['steps'];
      for (const [step, operation] of Object.entries(OPERATIONS)) {
        const byHand = await bed.operation(operation, { week_ending: WEEK, tier, force: true });
        expect(byHand).toMatchObject({ skipped: false, output_digest: steps?.[step]?.['output_digest'] });
      }
    }
    const share = await bed.operation(COMPUTE_TIER_VOLUME_SHARE, { week_ending: WEEK, force: true });
    expect(share).toMatchObject({ tiers: [...TIERS], is_complete: true });
    expect(share['output_digest']).toBe(resultOf(first)['tier_share']?.['output_digest']);
  });

  it('passes its gates, which the ledger keeps', async () => {
    const quality = await bed.query(
      `SELECT check_name, status FROM quality_results WHERE stage = 'WEEK_CHECKED' AND partition_key = $1 ORDER BY 1`,
      [`{"week_ending":"${WEEK}"}`],
    );
    expect(quality).toEqual(
      ['week_of_one_capture', 'week_rejects', 'week_stages_reached', 'week_totals_agree'].map(
        (check_name) => ({
          check_name,
          status: 'PASS',
        }),
      ),
    );
    const [manifest] = await bed.query(
      `SELECT row_count, metrics->'tiers'->0->>'tier' AS tier FROM manifest WHERE stage = 'WEEK_CHECKED'`,
    );
    expect(manifest).toEqual({ row_count: 3, tier: 'OTC' });
  });
});

describe('the same week again', () => {
  it('stores and calculates nothing', async () => {
    const before = await writers();
    const again = await bed.refresh({ week_ending: WEEK });
    expect(await writers()).toEqual(before);
    for (const tier of TIERS) expect(tierOf(again, tier)['file']).toMatchObject({ inserted: 0 });
    for (const steps of stepsOf(again)) {
      for (const step of Object.keys(OPERATIONS)) expect(steps[step]).toMatchObject({ skipped: true });
    }
    // What was done then is answered again: rows, captures and digests.
    const done = (run: RunRecord) =>
      stepsOf(run).map((steps) =>
        Object.entries(steps).map(([step, { rows, capture_id, output_digest }]) => [
          step,
          rows,
          capture_id,
          output_digest,
        ]),
      );
    expect(done(again)).toEqual(done(first));
  });

  it('answers what a workflow above it goes on with, also when runs are forced', async () => {
    const params = { week_ending: WEEK, tiers: ['T2'] };
    const spec = workflowStartSpec(AFTER_REFRESH.name, {
      params,
      partition: { week_ending: WEEK },
      force: true,
      deadLetter: false,
    });
    const one = resultOf(await bed.reach(await bed.submit(spec), 'completed'));
    const two = resultOf(await bed.reach(await bed.submit(spec), 'completed'));
    expect(two).toEqual(one);
    const { symbols, shares } = countFile(bed.folder, 'NMS_TIER_2');
    expect(two).toMatchObject({ rows: symbols, symbols, shares });
  });

  it('calculates the same again when it is forced', async () => {
    const forced = await bed.refresh({ week_ending: WEEK, force: true, tiers: ['T2'] });
    expect(listIn(resultOf(forced)['tiers'])).toHaveLength(1);
    expect(tierOf(forced, 'NMS_TIER_2')['steps']).toEqual(tierOf(first, 'NMS_TIER_2')['steps']);
  });
});

describe('a week that is tracked by its partition', () => {
  const params = { week_ending: WEEK, tiers: ['T2'] };
  const partition = { week_ending: WEEK, tier: 'NMS_TIER_2' };
  const tracked = async (force: boolean): Promise<RunRecord> => {
    const spec = workflowStartSpec(WEEKLY_REFRESH, { params, partition, force, deadLetter: false });
    return bed.reach(await bed.submit(spec), 'completed');
  };

  it('is refreshed once, and again when it is forced', async () => {
    const done = await tracked(false);
    expect(tierOf(done, 'NMS_TIER_2')['file']).toMatchObject({ inserted: 0 });
    const skipped = resultOf(await tracked(false));
    expect(skipped).toMatchObject({ status: 'skipped' });
    expect(JSON.stringify(skipped)).toContain(done.runId);
    expect(tierOf(await tracked(true), 'NMS_TIER_2')['tier']).toBe('NMS_TIER_2');
  });
});

describe('a refresh that cannot be', () => {
  it.each([
    [
      { week_ending: '2025-12-05' },
      'MissingFileError',
      'finra_otc_weekly_otc_20251206.csv to finra_otc_weekly_otc_20251212.csv',
    ],
    [{ week_ending: BROKEN_WEEK, tiers: ['OTC', 'T1'] }, 'MissingFileError', 'of: NMS_TIER_1 ('],
    [
      { week_ending: WEEK, files: ['not_there.csv', BROKEN] },
      'MissingFileError',
      '"not_there.csv": no such file',
    ],
    [
      { week_ending: WEEK, files: ['../secret.csv'] },
      'ValidationError',
      "params.files[0]: holds a '..' segment",
    ],
    [{ week_ending: '2025-12-11' }, 'ValidationError', 'params.week_ending'],
    [{ week_ending: WEEK, tier: 'OTC' }, 'ValidationError', 'params.tier: is not a parameter'],
    [{ week_ending: WEEK, max_reject_rate: '1.5' }, 'ValidationError', 'params.max_reject_rate'],
    [{ week_ending: WEEK, tiers: ['T1'], files: [BROKEN] }, 'ValidationError', 'either tiers'],
    [{}, 'ValidationError', 'params.week_ending'],
  ])('says what is wrong with %j', async (params, type, message) => {
    const run = await bed.refresh(params, 'failed');
    expect(run.error).toMatchObject({ type, retryable: false });
    expect(run.error?.message).toContain('step plan: ');
    expect(run.error?.message).toContain(message);
  });

  it('is an anomaly of its week', async () => {
    await bed.refresh({ week_ending: '2025-11-28' }, 'failed');
    const found = await bed.query(
      `SELECT severity, category, metadata->>'step' AS step, metadata->>'error_type' AS type FROM anomalies
       WHERE stage = 'WEEKLY_REFRESH' AND partition_key = '{"week_ending":"2025-11-28"}'`,
    );
    expect(found).toEqual([
      { severity: 'ERROR', category: 'WORKFLOW_FAILURE', step: 'plan', type: 'MissingFileError' },
    ]);
  });

  it('fails at its gates where too many rows were refused, and passes where they may be', async () => {
    const params = { week_ending: BROKEN_WEEK, files: [BROKEN] };
    const run = await bed.refresh(params, 'failed');
    expect(run.error).toMatchObject({ type: 'QualityGateError', category: 'DATA_QUALITY' });
    expect(run.error?.message).toContain('OTC: 8 of 11 rows were refused');
    const stages = () =>
      bed.query(`SELECT stage FROM manifest WHERE partition_key = $1`, [`{"week_ending":"${BROKEN_WEEK}"}`]);
    expect(await stages()).toEqual([{ stage: 'TIER_VOLUME_SHARE' }]);
    await bed.refresh({ ...params, max_reject_rate: '0.8' });
    expect(await stages()).toHaveLength(2);
  });
});

it('is known to every process of a deployment', () => {
  const { handlers, workflows } = createCatalog({ dataRoots: [bed.folder] });
  workflows.registerHandlers(handlers);
  expect(handlers.get('workflow', WEEKLY_REFRESH)?.tags).toContain('weekly');
});
