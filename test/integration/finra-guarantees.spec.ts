/** What is promised of calculated data, one `describe` a guarantee; what the schema promises is in a file of its own. */
import {
  AGGREGATE_WEEK,
  CALCS,
  COMPUTE_LIQUIDITY_SCORE,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_CONCENTRATION,
  COMPUTE_VENUE_SHARE,
  COMPUTE_VOLUME_PER_DAY,
  NORMALIZE_WEEK,
} from '@spine/finra-otc';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFinra } from './finra-support.ts';
import type { FinraBed, Params } from './finra-support.ts';
import { calculateAll, freshWeek, OF, paramsOf, ROWS, TABLES, WEEK } from './finra-week-support.ts';

let finra: FinraBed;
beforeAll(async () => {
  finra = await openFinra();
});
afterAll(() => finra.close());

/** A hash of what each table holds, without the columns that say when and by which run. */
async function contents(where = 'true'): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const table of TABLES) {
    const [row] = await finra.query<{ rows: number; hash: string }>(
      `SELECT count(*)::int AS rows, md5(coalesce(string_agg(text, E'\\n' ORDER BY text), '')) AS hash
       FROM (SELECT (to_jsonb(t) - 'run_id' - 'captured_at')::text AS text FROM ${table} t WHERE ${where}) AS texts`,
    );
    hashes[table] = `${row?.rows} ${row?.hash}`;
  }
  return hashes;
}

describe('replay idempotency', () => {
  it('what is done is skipped, and made again when forced, never twice', async () => {
    const first = await freshWeek(finra);
    const before = await contents();
    for (const result of (await calculateAll(finra)).values()) {
      expect(result).toMatchObject({ skipped: true });
      expect(result['reason']).toContain('force: true calculates again');
    }
    const again = await calculateAll(finra, { force: true });
    for (const [operation, result] of again)
      expect(result['output_digest'], operation).toBe(first.get(operation)?.['output_digest']);
    expect(await contents()).toEqual(before);
  });

  it('a correction makes a new capture, and leaves what was calculated of the first as it was', async () => {
    await finra.clear();
    await finra.ingest(WEEK, ROWS);
    await finra.age(2);
    const first = String((await calculateAll(finra)).get(NORMALIZE_WEEK)?.['capture_id']);
    const before = await contents(`capture_id = '${first}'`);
    await finra.ingest(WEEK, [
      { symbol: 'AABB', mpid: 'OTCN', shares: 301, trades: 7, updated: '2025-12-22' },
    ]);
    const results = await calculateAll(finra);
    for (const result of results.values()) expect(result).toMatchObject({ skipped: false });
    expect(results.get(NORMALIZE_WEEK)?.['capture_id']).not.toBe(first);
    expect(await contents(`capture_id = '${first}'`)).toEqual(before);
    // Also when the first is built again.
    for (const operation of [NORMALIZE_WEEK, AGGREGATE_WEEK, COMPUTE_VENUE_SHARE, COMPUTE_ROLLING])
      await finra.run(operation, { ...OF, capture_id: first, force: true });
    expect(await contents(`capture_id = '${first}'`)).toEqual(before);
  });

  it('two runs of one step at once leave its rows once', async () => {
    await finra.clear();
    await finra.ingest(WEEK, ROWS);
    const forced = { ...OF, force: true };
    const results = await Promise.all([1, 2, 3].map(() => finra.run(NORMALIZE_WEEK, forced)));
    for (const result of results) expect(result).toMatchObject({ skipped: false, accepted: 4 });
    expect(await finra.query('SELECT 1 FROM finra_otc_normalized')).toHaveLength(4);
    expect(await finra.query('SELECT 1 FROM finra_otc_captures')).toHaveLength(1);
  });

  it('a step that is kept out leaves the rows there were', async () => {
    await freshWeek(finra);
    const before = await contents();
    // The same capture, over rows that somebody has emptied behind our back.
    await finra.owner.query('UPDATE finra_otc_normalized SET total_shares = 0, total_trades = 0');
    const { finra_otc_normalized: _changed, ...others } = before;
    const error = await finra.fails(COMPUTE_VENUE_SHARE, { ...OF, force: true });
    expect(error).toMatchObject({ type: 'QualityGateError' });
    expect(error.message).toContain('venues: 0 rows; at least 1 are expected');
    expect(await contents()).toMatchObject(others);
    expect(
      await finra.query(`SELECT stage, check_name FROM quality_results WHERE status = 'FAIL'`),
    ).toContainEqual({ stage: 'VENUE_SHARE', check_name: 'venues' });
    expect(await finra.query(`SELECT stage, category FROM anomalies WHERE severity = 'ERROR'`)).toEqual([
      { stage: 'VENUE_SHARE', category: 'QUALITY_GATE' },
    ]);
  });
});

describe('version registry', () => {
  let results: ReadonlyMap<string, Params>;
  beforeAll(async () => {
    results = await freshWeek(finra);
  });

  it('a deprecated version computes, warns, and stands beside the current one', async () => {
    const result = await finra.run(COMPUTE_ROLLING, { ...OF, calc_version: 'v1' });
    const warning = 'rolling v1 is deprecated (current is v2)';
    expect(result).toMatchObject({
      skipped: false,
      calc_version: 'v1',
      partition: { ...OF, calc_version: 'v1' },
      warnings: expect.arrayContaining([expect.stringContaining(warning)]) as unknown,
    });
    expect(
      await finra.query(
        `SELECT stage, severity FROM anomalies WHERE category = 'CONFIGURATION' AND message LIKE $1`,
        [`${warning}%`],
      ),
    ).toEqual([{ stage: 'ROLLING', severity: 'WARN' }]);
    expect(
      await finra.query(
        'SELECT calc_version, count(*)::int AS n FROM finra_otc_rolling GROUP BY 1 ORDER BY 1',
      ),
    ).toEqual([
      { calc_version: 'v1', n: 3 },
      { calc_version: 'v2', n: 3 },
    ]);
    // Skipped, it still says so.
    expect(await finra.run(COMPUTE_ROLLING, { ...OF, calc_version: 'v1' })).toMatchObject({
      skipped: true,
      warnings: [expect.stringContaining(warning)],
    });
    expect(await finra.run(COMPUTE_ROLLING, OF)).toMatchObject({ skipped: true, warnings: [] });
  });

  it('a version that does not exist is refused with those that do', async () => {
    const error = await finra.fails(NORMALIZE_WEEK, { ...OF, calc_version: 'v9' });
    expect(error).toMatchObject({ type: 'ValidationError' });
    expect(error.message).toContain('"v9" is not a version of normalize; allowed are v1');
  });

  it('every row is of a version that is listed', async () => {
    const calcs = CALCS.calcs();
    for (const { calc, calc_version } of results.values()) {
      expect(calcs).toContain(calc);
      expect(calc_version).toMatch(/^v[1-9]\d*$/);
    }
  });
});

describe('determinism', () => {
  let first: ReadonlyMap<string, Params>;
  beforeAll(async () => {
    first = await freshWeek(finra);
  });

  it('the same rows in another order, in another file, by other runs, come to the same', async () => {
    const before = await contents();
    await finra.clear();
    await finra.ingest(WEEK, [...ROWS].reverse());
    const second = await calculateAll(finra);
    expect(await contents()).toEqual(before);
    for (const [operation, result] of second)
      expect(result['output_digest'], operation).toBe(first.get(operation)?.['output_digest']);
  });

  it('other rows do not', async () => {
    await finra.clear();
    await finra.ingest(WEEK, [{ symbol: 'AABB', mpid: 'OTCN', shares: 301, trades: 7 }, ...ROWS.slice(1)]);
    for (const [operation, result] of await calculateAll(finra))
      if (operation !== COMPUTE_TIER_VOLUME_SHARE)
        expect(result['output_digest'], operation).not.toBe(first.get(operation)?.['output_digest']);
  });
});

describe('invariants', () => {
  it('hold for weeks of any rows', async () => {
    const row = fc.record({
      symbol: fc.constantFrom('A', 'B', 'C.D', 'C/D', 'ZVZZT', 'E'),
      mpid: fc.constantFrom('AAAA', 'BBBB', 'CCCC'),
      shares: fc.nat(1_000_000),
      trades: fc.integer({ min: 1, max: 50 }),
      updated: fc.constantFrom('2025-12-15', '2025-12-22', '2025-12-01'),
    });
    const weeks = fc.sample(fc.array(row, { minLength: 20, maxLength: 60 }), { numRuns: 3, seed: 7 });
    for (const rows of weeks) {
      await finra.clear();
      const { inserted } = await finra.ingest(WEEK, rows);
      const normalized = (await calculateAll(finra)).get(NORMALIZE_WEEK) ?? {};
      const parts = ['accepted', 'rejected', 'duplicates', 'superseded'].map((name) =>
        Number(normalized[name]),
      );
      expect(parts.reduce((sum, part) => sum + part, 0)).toBe(inserted);
      const [found] = await finra.query(
        `SELECT (SELECT sum(share)::text FROM finra_otc_venue_share) AS shares,
           (SELECT bool_and(rank = n) FROM (SELECT rank, row_number() OVER (ORDER BY rank) AS n
             FROM finra_otc_venue_share) r) AS venue_ranks,
           (SELECT count(*) = max(rank) AND min(rank) = 1 FROM finra_otc_liquidity) AS liquidity_ranks,
           (SELECT sum(total_shares) FROM finra_otc_symbol_summary) = (SELECT sum(total_shares) FROM finra_otc_venue_share) AS shares_agree,
           (SELECT sum(total_trades) FROM finra_otc_symbol_summary) = (SELECT total_trades FROM finra_otc_week_summary) AS trades_agree,
           (SELECT bool_and(hhi >= 1.0 / venue_count - 0.000000001) FROM finra_otc_venue_concentration) AS hhi_least,
           (SELECT bool_and(weeks_present = 1 AND NOT is_complete) FROM finra_otc_rolling) AS rolling,
           (SELECT count(*)::int FROM quality_results WHERE status = 'FAIL') AS failures`,
      );
      expect(found).toEqual({
        shares: '1.0000000000',
        venue_ranks: true,
        liquidity_ranks: true,
        shares_agree: true,
        trades_agree: true,
        hhi_least: true,
        rolling: true,
        failures: 0,
      });
    }
  });

  it('each stage stores what its checks found, and warnings are anomalies', async () => {
    const rolling = (await freshWeek(finra)).get(COMPUTE_ROLLING);
    expect(rolling?.['warnings']).toEqual(['rolling_complete: 1 of 6 weeks are captured']);
    const checks = await finra.query(
      `SELECT stage, string_agg(check_name || ' ' || status, ', ' ORDER BY check_name) AS found FROM quality_results
       WHERE stage IN ('VENUE_SHARE', 'ROLLING') GROUP BY 1 ORDER BY 1`,
    );
    expect(checks).toEqual([
      { stage: 'ROLLING', found: 'rolling_complete WARN, rows PASS, volumes_non_negative PASS' },
      {
        stage: 'VENUE_SHARE',
        found: 'ranks_consecutive PASS, shares_non_negative PASS, shares_sum_to_one PASS, venues PASS',
      },
    ]);
    expect(
      await finra.query(`SELECT message, severity, category FROM anomalies WHERE stage = 'ROLLING'`),
    ).toEqual([
      { message: 'rolling_complete: 1 of 6 weeks are captured', severity: 'WARN', category: 'DATA_QUALITY' },
    ]);
  });
});

describe('missing data fails loud', () => {
  beforeAll(() => finra.clear());

  const HINTS: readonly (readonly [operation: string, hint: string])[] = [
    [NORMALIZE_WEEK, 'run finra.otc_transparency.ingest_week for that week and tier first'],
    [AGGREGATE_WEEK, 'run finra.otc_transparency.normalize_week for it first'],
    [COMPUTE_VENUE_SHARE, 'run finra.otc_transparency.normalize_week for it first'],
    [COMPUTE_VENUE_CONCENTRATION, 'run finra.otc_transparency.normalize_week for it first'],
    [COMPUTE_LIQUIDITY_SCORE, 'run finra.otc_transparency.normalize_week for it first'],
    [COMPUTE_VOLUME_PER_DAY, 'run finra.otc_transparency.aggregate_week for it first'],
    [COMPUTE_ROLLING, 'run finra.otc_transparency.aggregate_week for it first'],
    [COMPUTE_TIER_VOLUME_SHARE, 'run finra.otc_transparency.aggregate_week first'],
  ];

  it.each(HINTS)('%s says what to run first, and stores nothing', async (operation, hint) => {
    const error = await finra.fails(operation, paramsOf(operation));
    expect(error).toMatchObject({ type: 'MissingInputError' });
    expect(error.message).toContain(hint);
    expect(await finra.query('SELECT 1 FROM manifest')).toEqual([]);
  });

  it('also for a capture or a tier that is not there, where others are', async () => {
    await finra.ingest(WEEK, ROWS);
    await calculateAll(finra);
    for (const operation of [AGGREGATE_WEEK, COMPUTE_ROLLING]) {
      const error = await finra.fails(operation, { ...OF, capture_id: 'none' });
      expect(error.message).toContain('capture none of tier OTC, week ending 2025-12-12');
      expect(await finra.fails(operation, { ...OF, tier: 'T2' })).toMatchObject({
        type: 'MissingInputError',
      });
    }
  });
});
