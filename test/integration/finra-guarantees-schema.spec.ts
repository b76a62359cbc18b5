/** What the schema promises of calculated data, whatever a statement does wrong. */
import { assetKey } from '@spine/core';
import { assetLineage } from '@spine/database';
import { CALCS } from '@spine/finra-otc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFinra } from './finra-support.ts';
import type { FinraBed } from './finra-support.ts';
import { freshWeek, TABLES } from './finra-week-support.ts';

let finra: FinraBed;
beforeAll(async () => {
  finra = await openFinra();
});
afterAll(() => finra.close());

describe('uniqueness', () => {
  beforeAll(() => freshWeek(finra));

  it.each(TABLES)('%s has one row a key: a second one is refused', async (table) => {
    await expect(finra.owner.query(`INSERT INTO ${table} SELECT * FROM ${table}`)).rejects.toMatchObject({
      code: '23505',
    });
  });

  it('a set of raw rows is one capture', async () => {
    await expect(
      finra.owner.query(
        `INSERT INTO finra_otc_captures SELECT 'another', week_ending, tier, raw_digest, raw_rows, captured_at, run_id FROM finra_otc_captures`,
      ),
    ).rejects.toMatchObject({ constraint: 'finra_otc_captures_once' });
  });
});

/** Per constraint, ways to break it alone; each is tried on rows that are lawful. */
const VIOLATIONS: readonly (readonly [table: string, constraint: string, ...changes: string[]])[] = [
  ['finra_otc_captures', 'finra_otc_captures_friday', `week_ending = '2025-12-11'`],
  ['finra_otc_captures', 'finra_otc_captures_tier', `tier = 'T1'`],
  ['finra_otc_captures', 'finra_otc_captures_digest', `raw_digest = 'x'`],
  ['finra_otc_captures', 'finra_otc_captures_rows', 'raw_rows = 0'],
  ['finra_otc_normalized', 'finra_otc_normalized_counts', 'total_shares = -1', `total_trades = 'NaN'`],
  [
    'finra_otc_symbol_summary',
    'finra_otc_symbol_summary_counts',
    `total_shares = 'NaN'`,
    'total_trades = -1',
    'venue_count = 0',
  ],
  [
    'finra_otc_symbol_summary',
    'finra_otc_symbol_summary_average',
    'avg_trade_size = NULL',
    'avg_trade_size = -1',
    'total_trades = 0',
  ],
  [
    'finra_otc_week_summary',
    'finra_otc_week_summary_counts',
    'symbol_count = 0',
    'venue_count = 0',
    'total_shares = -1',
    `total_trades = 'NaN'`,
  ],
  ['finra_otc_week_summary', 'finra_otc_week_summary_friday', `week_ending = '2025-12-13'`],
  ['finra_otc_week_summary', 'finra_otc_week_summary_tier', `tier = ''`],
  [
    'finra_otc_venue_share',
    'finra_otc_venue_share_counts',
    'total_shares = -1',
    'total_trades = -1',
    'symbol_count = 0',
  ],
  ['finra_otc_venue_share', 'finra_otc_venue_share_range', 'share = 1.1', 'share = -0.1', 'rank = rank - 3'],
  [
    'finra_otc_volume_per_day',
    'finra_otc_volume_per_day_counts',
    'trading_days = 0',
    'trading_days = 6',
    'shares_per_day = -1',
    `trades_per_day = 'NaN'`,
  ],
  [
    'finra_otc_venue_concentration',
    'finra_otc_venue_concentration_range',
    'venue_count = 0',
    'hhi = 0',
    'hhi = 1.1',
    'top_share = 0',
  ],
  ['finra_otc_venue_concentration', 'finra_otc_venue_concentration_name', `concentration = 'LOW'`],
  [
    'finra_otc_liquidity',
    'finra_otc_liquidity_range',
    'score = 100.1',
    'volume_part = 2',
    'trades_part = -1',
    'dispersion_part = 2',
    'rank = rank - 3',
  ],
  [
    'finra_otc_rolling',
    'finra_otc_rolling_window',
    'weeks_present = 0',
    'weeks_present = 2',
    'is_complete = true',
    `input_captures = '{}'`,
    `input_captures = input_captures || '{other}'`,
  ],
  [
    'finra_otc_rolling',
    'finra_otc_rolling_values',
    'min_shares = -1',
    'max_shares = min_shares - 1',
    'avg_shares = max_shares + 1',
    'avg_trades = -1',
  ],
  ['finra_otc_rolling', 'finra_otc_rolling_trend', `trend = 'SIDEWAYS'`],
  ['finra_otc_tier_share', 'finra_otc_tier_share_tier', `tier = 'T1'`],
  ['finra_otc_tier_share', 'finra_otc_tier_share_inputs', 'is_complete = true', `input_captures = '{other}'`],
  ['finra_otc_tier_share', 'finra_otc_tier_share_range', 'share = 2', 'rank = 4', 'total_shares = -1'],
  ...TABLES.map((table) => [table, `${table}_version`, `calc_version = 'v0'`] as const),
];

describe('constraints', () => {
  beforeAll(() => freshWeek(finra));

  it.each(VIOLATIONS.map(([table, constraint, ...changes]) => ({ table, constraint, changes })))(
    '$constraint refuses what breaks it',
    async ({ table, constraint, changes }) => {
      for (const change of changes)
        await expect(finra.owner.query(`UPDATE ${table} SET ${change}`), change).rejects.toMatchObject({
          code: '23514',
          constraint,
        });
    },
  );

  it('have a case above, each that there is', async () => {
    const named = await finra.query<{ name: string }>(
      `SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY ($1::regclass[]) ORDER BY 1`,
      [`{finra_otc_captures,${TABLES.join(',')}}`],
    );
    expect(named.map(({ name }) => name)).toEqual(VIOLATIONS.map(([, name]) => name).sort());
  });
});

describe('auditability', () => {
  beforeAll(() => freshWeek(finra));

  it('no row is calculated of a capture that does not exist', async () => {
    for (const table of TABLES) {
      const stray = finra.owner.query(
        `INSERT INTO ${table} SELECT (jsonb_populate_record(t, '{"capture_id": "none", "capture_set": "none", "input_captures": ["none"]}')).* FROM ${table} t`,
      );
      await expect(stray, table).rejects.toMatchObject({ code: '23503' });
    }
    // The inputs of a window are captures too, each of them.
    for (const table of ['finra_otc_rolling', 'finra_otc_tier_share']) {
      const stray = finra.owner.query(
        `INSERT INTO ${table} SELECT (jsonb_populate_record(t, jsonb_build_object('capture_set', 'other', 'is_complete', false,
           'input_captures', ARRAY['none', t.capture_id]))).* FROM ${table} t`,
      );
      await expect(stray, table).rejects.toMatchObject({ constraint: 'finra_otc_inputs_are_captures' });
    }
  });

  it('no row is normalized without its raw row', async () => {
    const stray = finra.owner.query(
      `INSERT INTO finra_otc_normalized SELECT (jsonb_populate_record(t, '{"mpid": "NONE", "record_hash": "none"}')).* FROM finra_otc_normalized t LIMIT 1`,
    );
    await expect(stray).rejects.toMatchObject({ constraint: 'finra_otc_normalized_has_source' });
  });

  it('each calculated table is an asset, materialized by the run that settled with it, from its captures', async () => {
    const made = await finra.query(
      `SELECT m.asset_key, m.data_version = p.metrics->>'output_digest' AS is_digest, l.upstream_data_version = c.capture_id AS is_capture
       FROM asset_materializations m JOIN manifest p ON p.run_id = m.run_id JOIN asset_lineage l USING (materialization_id)
       CROSS JOIN finra_otc_captures c
       WHERE m.asset_key NOT IN ('finra/otc_transparency/raw', 'finra/otc_transparency/capture') ORDER BY 1`,
    );
    const calcs = CALCS.calcs().map((calc) => `finra/otc_transparency/${calc}`);
    expect(made).toEqual(calcs.sort().map((asset_key) => ({ asset_key, is_digest: true, is_capture: true })));
  });

  it('its captures are assets too: of the raw rows that the ingest of their newest row left', async () => {
    const [capture] = await finra.query(
      `SELECT m.partition_key = '{"capture_id":"' || c.capture_id || '"}' AS of_capture, m.row_count = c.raw_rows AS of_rows,
         u.asset_key AS upstream, u.run_id = r.run_id AS of_ingest
       FROM asset_materializations m JOIN asset_lineage l USING (materialization_id)
       JOIN asset_materializations u ON u.materialization_id = l.upstream_id
       JOIN finra_otc_captures c ON c.capture_id = m.data_version
       JOIN (SELECT DISTINCT run_id, captured_at FROM finra_otc_transparency_raw) r ON r.captured_at = c.captured_at
       WHERE m.asset_key = 'finra/otc_transparency/capture'`,
    );
    const upstream = 'finra/otc_transparency/raw';
    expect(capture).toEqual({ of_capture: true, of_rows: true, upstream, of_ingest: true });
    const { upstream: walked } = await assetLineage(
      finra.engine.db,
      assetKey('finra', 'otc_transparency', 'rolling'),
      'up',
      8,
    );
    expect(walked.map((node) => [node.assetKey, node.depth])).toEqual([
      ['finra/otc_transparency/capture', 1],
      ['finra/otc_transparency/raw', 2],
      ['finra/otc_transparency/weekly_files', 3],
    ]);
  });

  it('each row names the run that made it, and captures and rows are never changed by the services', async () => {
    for (const table of TABLES) {
      const runs = await finra.query(
        `SELECT DISTINCT r.status, r.kind FROM ${table} t LEFT JOIN runs r ON r.id = t.run_id`,
      );
      expect(runs, table).toEqual([{ status: 'completed', kind: 'operation' }]);
    }
    const refused = ['DELETE FROM finra_otc_captures', 'UPDATE finra_otc_captures SET tier = tier'];
    for (const statement of [...refused, ...TABLES.map((table) => `UPDATE ${table} SET run_id = run_id`)])
      await expect(finra.engine.pool.query(statement), statement).rejects.toMatchObject({ code: '42501' });
  });
});
