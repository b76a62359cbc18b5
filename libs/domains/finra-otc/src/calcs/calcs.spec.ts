import { Decimal, sumDecimals, WeekEnding } from '@spine/core';
import { xnys } from '@spine/reference-calendar';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concentrationOver } from './concentration.ts';
import { liquidityScores } from './liquidity.ts';
import { rollingVolume } from './rolling.ts';
import { summarizeSymbol } from './symbol-summary.ts';
import { tierShares } from './tier-share.ts';
import { venueShares } from './venue-share.ts';
import { dailyVolume, NoTradingDaysError, tradingDaysIn } from './volume-per-day.ts';

const of = (value: number | bigint): Decimal => new Decimal(value.toString());
const venue = (mpid: string, shares: number | bigint) => ({
  mpid,
  venueName: mpid,
  totalShares: of(shares),
  totalTrades: of(1),
  symbolCount: 1,
});
const amounts = fc.array(fc.bigInt({ min: 0n, max: 10n ** 18n }), { minLength: 1, maxLength: 40 });

describe('a symbol summary', () => {
  it('has an average to 6 places, half to even, and none without a trade', () => {
    const summary = (shares: number, trades: number) =>
      summarizeSymbol({
        symbol: 'A',
        issueName: 'n',
        totalShares: of(shares),
        totalTrades: of(trades),
        venueCount: 1,
      }).avgTradeSize?.toString();
    expect(summary(10, 3)).toBe('3.333333');
    expect(summary(1, 2_000_000)).toBe('0');
    expect(summary(3, 2_000_000)).toBe('0.000002');
    expect(summary(0, 0)).toBeUndefined();
  });
});

describe('venue shares', () => {
  it('are by largest remainder, ranked by shares, then by name', () => {
    const shares = venueShares([venue('C', 1), venue('A', 1), venue('B', 1)]);
    expect(shares?.map(({ mpid, rank, share }) => [mpid, rank, share.toString()])).toEqual([
      ['A', 1, '0.3333333334'],
      ['B', 2, '0.3333333333'],
      ['C', 3, '0.3333333333'],
    ]);
  });

  it('sum to exactly 1 with ranks 1 to n, whatever is traded, in any order', () => {
    fc.assert(
      fc.property(amounts, (parts) => {
        const venues = parts.map((part, index) => venue(`V${index}`, part));
        const shares = venueShares(venues);
        if (parts.every((part) => part === 0n)) {
          expect(shares).toBeNull();
          return;
        }
        expect(sumDecimals(shares?.map(({ share }) => share) ?? []).toString()).toBe('1');
        expect(shares?.map(({ rank }) => rank)).toEqual(parts.map((_, index) => index + 1));
        expect(venueShares(venues.toReversed())).toEqual(shares);
      }),
    );
  });
});

describe('tier shares', () => {
  it('sum to exactly 1 over the tiers there are', () => {
    const tier = (name: 'OTC' | 'NMS_TIER_1' | 'NMS_TIER_2', shares: number) => ({
      tier: name,
      captureId: name,
      totalShares: of(shares),
      capturedAt: '',
    });
    const shares = tierShares([tier('NMS_TIER_2', 1), tier('NMS_TIER_1', 5), tier('OTC', 1)]);
    expect(shares?.map(({ tier: name, rank, share }) => [name, rank, share.toString()])).toEqual([
      ['OTC', 2, '0.1428571429'],
      ['NMS_TIER_1', 1, '0.7142857143'],
      ['NMS_TIER_2', 3, '0.1428571428'],
    ]);
    expect(tierShares([tier('OTC', 0)])).toBeNull();
  });
});

describe('a concentration', () => {
  it('is 1 for one venue and 1/n for n equal ones', () => {
    expect(concentrationOver([venue('A', 7)])).toMatchObject({ concentration: 'HIGH', topMpid: 'A' });
    const even = concentrationOver([venue('D', 5), venue('B', 5), venue('C', 5), venue('A', 5)]);
    expect(even?.hhi.toString()).toBe('0.25');
    expect([even?.topMpid, even?.topShare.toString(), even?.venueCount]).toEqual(['A', '0.25', 4]);
    expect(concentrationOver([venue('A', 0)])).toBeNull();
    expect(concentrationOver([])).toBeNull();
  });
});

describe('liquidity scores', () => {
  const symbol = (name: string, shares: number, trades: number, hhi: string | null) => ({
    symbol: name,
    totalShares: of(shares),
    totalTrades: of(trades),
    hhi: hhi === null ? null : new Decimal(hhi),
  });

  it('follow the formula', () => {
    const scores = liquidityScores([
      symbol('LOW', 1, 5, '1'),
      symbol('TOP', 100, 9, '0.25'),
      symbol('MID', 50, 5, '0.5'),
    ]);
    // 50 * 1 + 30 * 1 + 20 * 0.75; 50 * 0.5 + 30 * 0 + 20 * 0.5; nothing below, one venue.
    expect(scores.map((each) => [each.symbol, each.score.toString(), each.rank])).toEqual([
      ['LOW', '0', 3],
      ['MID', '35', 2],
      ['TOP', '95', 1],
    ]);
    expect(liquidityScores([symbol('ONE', 0, 0, null)]).map(({ score }) => score.toString())).toEqual(['80']);
  });

  it('are 0 to 100 with ranks 1 to n, in any order of the symbols', () => {
    fc.assert(
      fc.property(amounts, (parts) => {
        const symbols = parts.map((part, index) => symbol(`S${index}`, Number(part % 1000n), index, '0.5'));
        const scores = liquidityScores(symbols);
        expect(scores.every(({ score }) => score.gte(0) && score.lte(100))).toBe(true);
        expect(scores.map(({ rank }) => rank).sort((a, b) => a - b)).toEqual(
          parts.map((_, index) => index + 1),
        );
        expect(liquidityScores(symbols.toReversed())).toEqual(scores);
      }),
    );
  });
});

describe('volume per day', () => {
  const days = (week: string) => tradingDaysIn(WeekEnding.parse(week), xnys());

  it('counts the days the exchange was open, over the end of a year too', () => {
    expect(days('2025-12-12')).toBe(5);
    // Christmas; New Year's Day, in a week of two years; Good Friday.
    expect(days('2025-12-26')).toBe(4);
    expect(days('2026-01-02')).toBe(4);
    expect(days('2026-04-03')).toBe(4);
    // The exchange stayed closed from Tuesday 11 to Friday 14 September 2001.
    expect(days('2001-09-14')).toBe(1);
  });

  it('is exact', () => {
    const { sharesPerDay, tradesPerDay } = dailyVolume({ totalShares: of(10), totalTrades: of(2) }, 3);
    expect([sharesPerDay.toString(), tradesPerDay.toString()]).toEqual(['3.333333', '0.666667']);
  });

  it('is not defined for a week without trading', () => {
    const closed = { exchangeCode: 'XTST', tradingDaysOfWeek: () => [] };
    expect(() => tradingDaysIn(WeekEnding.parse('2025-12-12'), closed)).toThrow(NoTradingDaysError);
    expect(() => tradingDaysIn(WeekEnding.parse('2025-12-12'), closed)).toThrow(
      'XTST has no trading day in the week ending 2025-12-12',
    );
  });
});

describe('a rolling window', () => {
  const end = WeekEnding.parse('2025-12-19');
  const volumes = (...shares: readonly (number | null)[]) =>
    new Map(
      end.window(shares.length).flatMap((week, index) => {
        const value = shares[index] ?? null;
        return value === null ? [] : [[week.date, { totalShares: of(value), totalTrades: of(1) }] as const];
      }),
    );

  it('is over six weeks, and complete with all of them', () => {
    const rolled = rollingVolume(end, volumes(999, 10, 20, 30, 40, 50, 61), 'v2');
    expect(rolled).toMatchObject({ weeksPresent: 6, isComplete: true, trend: 'UP' });
    expect([rolled?.avgShares, rolled?.minShares, rolled?.maxShares].map(String)).toEqual([
      '35.166667',
      '10',
      '61',
    ]);
  });

  it('leaves gaps out, and is null without any week', () => {
    expect(rollingVolume(end, volumes(30, null, null, null, null, 10), 'v2')).toMatchObject({
      weeksPresent: 2,
      isComplete: false,
      trend: 'DOWN',
    });
    expect(rollingVolume(end, volumes(7), 'v2')).toMatchObject({ weeksPresent: 1, trend: 'FLAT' });
    expect(rollingVolume(end, new Map(), 'v2')).toBeNull();
  });

  it('tells the trend by its version', () => {
    // Up by the line through all weeks, down by the last against the first.
    const weeks = volumes(50, 10, 20, 80, 90, 45);
    expect(rollingVolume(end, weeks, 'v1')?.trend).toBe('DOWN');
    expect(rollingVolume(end, weeks, 'v2')?.trend).toBe('UP');
    expect(() => rollingVolume(end, weeks, 'v9')).toThrow('rolling v9 is not a version');
  });
});
