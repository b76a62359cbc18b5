/**
 * Both real weeks through every operation, asked for over HTTP and done by a worker. What should come out is counted from
 * the files by other means than the domain's: read whole, split at line feeds and bars, summed as integers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AGGREGATE_WEEK,
  COMPUTE_LIQUIDITY_SCORE,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_CONCENTRATION,
  COMPUTE_VENUE_SHARE,
  COMPUTE_VOLUME_PER_DAY,
  INGEST_WEEK,
  NORMALIZE_WEEK,
  registerFinraOtc,
} from '@spine/finra-otc';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { REAL_WEEKS, realWeekName as fileOf, unpackRealWeeks } from './real-weeks.ts';

interface Counted {
  readonly rows: number;
  readonly shares: bigint;
  readonly trades: bigint;
  readonly sharesOf: ReadonlyMap<string, bigint>;
  readonly tradesOf: ReadonlyMap<string, bigint>;
  readonly venuesOf: ReadonlyMap<string, number>;
  readonly sharesAt: ReadonlyMap<string, bigint>;
}

function count(path: string): Counted {
  const rows = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.trimEnd().split('|'));
  const [sharesOf, tradesOf] = [new Map<string, bigint>(), new Map<string, bigint>()];
  const [venuesOf, sharesAt] = [new Map<string, number>(), new Map<string, bigint>()];
  let [shares, trades] = [0n, 0n];
  for (const fields of rows) {
    const [symbol = '', mpid = ''] = [fields[1], fields[4]];
    const [of, by] = [BigInt(fields[5] ?? ''), BigInt(fields[6] ?? '')];
    shares += of;
    trades += by;
    sharesOf.set(symbol, (sharesOf.get(symbol) ?? 0n) + of);
    tradesOf.set(symbol, (tradesOf.get(symbol) ?? 0n) + by);
    venuesOf.set(symbol, (venuesOf.get(symbol) ?? 0) + 1);
    sharesAt.set(mpid, (sharesAt.get(mpid) ?? 0n) + of);
  }
  return { rows: rows.length, shares, trades, sharesOf, tradesOf, venuesOf, sharesAt };
}

/** `over / under` with `places` digits, half to even, by integers alone. */
function quotient(over: bigint, under: bigint, places: number): string {
  const unit = 10n ** BigInt(places);
  const [floor, rest] = [(over * unit) / under, ((over * unit) % under) * 2n];
  const up = rest > under || (rest === under && floor % 2n === 1n);
  const rounded = up ? floor + 1n : floor;
  return `${rounded / unit}.${String(rounded % unit).padStart(places, '0')}`;
}

describe('both real weeks', () => {
  const realWeeks = mkdtempSync(join(tmpdir(), 'spine-finra-weeks-'));
  const counted = new Map<string, Counted>();
  const results = new Map<string, Json>();
  let api: Api;
  let owner: Pool;

  async function posted(name: string, params: Readonly<Record<string, unknown>>): Promise<Json> {
    const answer = await api.call('POST', '/api/v1/runs', { json: { kind: 'operation', name, params } });
    expect(answer.status).toBe(202);
    const run = await runWithStatus(api, String(answer.body['data']?.['run_id']), 'completed');
    return run['result'] ?? {};
  }

  const rows = async (text: string, values: unknown[] = []) =>
    (await owner.query<Record<string, unknown>>(text, values)).rows;

  beforeAll(async () => {
    unpackRealWeeks(realWeeks);
    api = await startApi({
      register: (registry) => registerFinraOtc(registry, { dataRoots: [realWeeks] }),
    });
    owner = createPool({ connectionString: api.database.connectionString, role: null });
    await api.startWorker();
    for (const { published, week } of REAL_WEEKS) {
      counted.set(week, count(join(realWeeks, fileOf(published))));
      const of = { week_ending: week, tier: 'OTC' };
      await posted(INGEST_WEEK, { file_path: fileOf(published) });
      for (const name of [
        NORMALIZE_WEEK,
        AGGREGATE_WEEK,
        COMPUTE_VENUE_SHARE,
        COMPUTE_VENUE_CONCENTRATION,
        COMPUTE_VOLUME_PER_DAY,
        COMPUTE_LIQUIDITY_SCORE,
        COMPUTE_ROLLING,
      ]) {
        results.set(`${name} ${week}`, await posted(name, of));
      }
      const share = await posted(COMPUTE_TIER_VOLUME_SHARE, { week_ending: week });
      results.set(`${COMPUTE_TIER_VOLUME_SHARE} ${week}`, share);
    }
  }, 60_000);

  afterAll(async () => {
    await owner.end();
    await api.close();
    rmSync(realWeeks, { recursive: true });
  });

  function countedOf(week: string): Counted {
    const found = counted.get(week);
    if (found === undefined) throw new Error(`${week} was not counted`);
    return found;
  }

  it.each(REAL_WEEKS)('$week: every row of the file is normalized, and none is refused', ({ week }) => {
    const file = countedOf(week);
    expect(file.rows).toBeGreaterThan(5_000);
    expect(results.get(`${NORMALIZE_WEEK} ${week}`)).toMatchObject({
      rows_in: file.rows,
      accepted: file.rows,
      rejected: 0,
      duplicates: 0,
      superseded: 0,
      warnings: [],
    });
  });

  it.each(REAL_WEEKS)(
    '$week: shares, trades, venues and averages are those of the file',
    async ({ week }) => {
      const file = countedOf(week);
      expect(results.get(`${AGGREGATE_WEEK} ${week}`)).toMatchObject({
        symbol_count: file.sharesOf.size,
        venue_count: file.sharesAt.size,
        total_shares: String(file.shares),
        total_trades: String(file.trades),
      });
      const summaries = await rows(
        `SELECT symbol, total_shares::text, total_trades::text, venue_count, avg_trade_size::text
       FROM finra_otc_symbol_summary WHERE week_ending = $1 ORDER BY symbol`,
        [week],
      );
      expect(summaries).toEqual(
        [...file.sharesOf]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([symbol, shares]) => ({
            symbol,
            total_shares: String(shares),
            total_trades: String(file.tradesOf.get(symbol)),
            venue_count: file.venuesOf.get(symbol),
            avg_trade_size: quotient(shares, file.tradesOf.get(symbol) ?? 0n, 6),
          })),
      );
    },
  );

  it.each(REAL_WEEKS)('$week: venue shares are those of the file, and sum to exactly 1', async ({ week }) => {
    const file = countedOf(week);
    const venues = await rows(
      `SELECT mpid, total_shares::text, share::text, rank FROM finra_otc_venue_share WHERE week_ending = $1 ORDER BY rank`,
      [week],
    );
    const ordered = [...file.sharesAt].sort(([a, x], [b, y]) => Number(y - x) || (a < b ? -1 : 1));
    expect(venues.map(({ mpid, total_shares, rank }) => [mpid, total_shares, rank])).toEqual(
      ordered.map(([mpid, shares], index) => [mpid, String(shares), index + 1]),
    );
    const unit = 10n ** 10n;
    const units = venues.map(({ share }) => BigInt(String(share).replace('.', '')));
    expect(units.reduce((sum, each) => sum + each, 0n)).toBe(unit);
    ordered.forEach(([, shares], index) => {
      const floor = (shares * unit) / file.shares;
      expect([floor, floor + 1n]).toContain(units[index]);
    });
  });

  it.each(REAL_WEEKS)('$week: the index of the week is the sum of the squared shares', async ({ week }) => {
    const [found] = await rows(
      `SELECT c.hhi::text AS hhi, c.venue_count, c.top_mpid,
         (SELECT sum(share * share)::text FROM finra_otc_venue_share WHERE week_ending = $1) AS squares,
         (SELECT count(*)::int FROM finra_otc_venue_concentration WHERE week_ending = $1 AND symbol IS NOT NULL) AS symbols
       FROM finra_otc_venue_concentration c WHERE week_ending = $1 AND symbol IS NULL`,
      [week],
    );
    const file = countedOf(week);
    expect(found).toMatchObject({ venue_count: file.sharesAt.size, symbols: file.sharesOf.size });
    expect(found?.['hhi']).toBe(found?.['squares']);
  });

  it.each(REAL_WEEKS)('$week: volume per day is the volume over five trading days', async ({ week }) => {
    const volumes = await rows(
      `SELECT symbol, trading_days, shares_per_day::text FROM finra_otc_volume_per_day WHERE week_ending = $1 ORDER BY symbol`,
      [week],
    );
    expect(volumes).toEqual(
      [...countedOf(week).sharesOf]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([symbol, shares]) => ({
          symbol,
          trading_days: 5,
          shares_per_day: quotient(shares, 5n, 6),
        })),
    );
  });

  it.each(REAL_WEEKS)('$week: liquidity ranks every symbol once', async ({ week }) => {
    const [found] = await rows(
      `SELECT count(*)::int AS n, min(rank) AS first, max(rank) AS last, count(DISTINCT rank)::int AS ranks,
         bool_and(score = round(50 * volume_part + 30 * trades_part + 20 * dispersion_part, 4)
           OR abs(score - (50 * volume_part + 30 * trades_part + 20 * dispersion_part)) <= 0.00005) AS by_the_formula
       FROM finra_otc_liquidity WHERE week_ending = $1`,
      [week],
    );
    const n = countedOf(week).sharesOf.size;
    expect(found).toEqual({ n, first: 1, last: n, ranks: n, by_the_formula: true });
  });

  it('rolling sees one week, then both, and says that six are wanted', async () => {
    expect(results.get(`${COMPUTE_ROLLING} 2025-12-12`)).toMatchObject({ weeks_present: 1 });
    expect(results.get(`${COMPUTE_ROLLING} 2025-12-19`)).toMatchObject({
      weeks_present: 2,
      is_complete: false,
      complete_symbols: 0,
      warnings: ['rolling_complete: 2 of 6 weeks are captured'],
    });
    const [first, second] = [countedOf('2025-12-12'), countedOf('2025-12-19')];
    const rolled = await rows(
      `SELECT symbol, weeks_present, avg_shares::text, min_shares::text, max_shares::text, trend
       FROM finra_otc_rolling WHERE week_ending = '2025-12-19' ORDER BY symbol`,
    );
    const symbols = [...new Set([...first.sharesOf.keys(), ...second.sharesOf.keys()])].sort();
    expect(rolled).toEqual(
      symbols.map((symbol) => {
        const weeks = [first, second].flatMap((week) => week.sharesOf.get(symbol) ?? []);
        const [a = 0n, b = a] = weeks;
        return {
          symbol,
          weeks_present: weeks.length,
          avg_shares: quotient(a + b, 2n, 6),
          min_shares: String(a < b ? a : b),
          max_shares: String(a < b ? b : a),
          trend: a === b ? 'FLAT' : b > a ? 'UP' : 'DOWN',
        };
      }),
    );
  });

  it('the only tier captured has all of the volume, with a warning', () => {
    for (const { week } of REAL_WEEKS) {
      expect(results.get(`${COMPUTE_TIER_VOLUME_SHARE} ${week}`)).toMatchObject({
        tiers: ['OTC'],
        is_complete: false,
        warnings: ['all_tiers_present: 1 of 3 tiers are captured'],
      });
    }
  });

  it('every calculated row leads to the file and lines it is made of', async () => {
    // Each symbol of each table, joined through its capture to the raw rows: their file, and shares that sum to the same.
    const traced = await rows(
      `SELECT s.week_ending::text AS week, count(*)::int AS symbols,
         bool_and(t.shares = s.total_shares AND t.lines = s.venue_count) AS complete, min(t.file) AS first_file, max(t.file) AS last_file
       FROM finra_otc_symbol_summary s CROSS JOIN LATERAL (
         SELECT sum(r.total_shares) AS shares, count(DISTINCT r.source_line) AS lines, min(r.source_file) AS file
         FROM finra_otc_normalized n JOIN finra_otc_transparency_raw r ON r.record_hash = n.record_hash
         WHERE n.capture_id = s.capture_id AND n.symbol = s.symbol) t
       GROUP BY 1 ORDER BY 1`,
    );
    expect(traced).toEqual(
      REAL_WEEKS.map(({ published, week }) => ({
        week,
        symbols: countedOf(week).sharesOf.size,
        complete: true,
        first_file: fileOf(published),
        last_file: fileOf(published),
      })),
    );
    const lines = readFileSync(join(realWeeks, fileOf('20251215')), 'utf8').split('\n');
    const [one] = await rows(
      `SELECT r.source_line, r.symbol, r.mpid, r.total_shares::text AS shares FROM finra_otc_venue_share v
       JOIN finra_otc_normalized n USING (capture_id, mpid) JOIN finra_otc_transparency_raw r USING (record_hash)
       WHERE v.week_ending = '2025-12-12' AND v.rank = 3 ORDER BY r.source_line LIMIT 1`,
    );
    const line = lines[Number(one?.['source_line']) - 1]?.split('|');
    expect(line).toMatchObject({
      1: one?.['symbol'],
      4: one?.['mpid'],
      5: one?.['shares'],
    });
  });

  it('a second time everything is skipped', async () => {
    for (const name of [NORMALIZE_WEEK, AGGREGATE_WEEK, COMPUTE_ROLLING, COMPUTE_LIQUIDITY_SCORE]) {
      expect(await posted(name, { week_ending: '2025-12-19', tier: 'OTC' })).toMatchObject({ skipped: true });
    }
  });
});
