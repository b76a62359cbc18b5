import { noNulls, nonNegative, rowCountAtLeast, sumsTo, unique } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { sumOf, summarizeSymbol } from '../calcs/symbol-summary.ts';
import type { SymbolSummary } from '../calcs/symbol-summary.ts';
import type { VenueTotals } from '../calcs/venue-share.ts';
import { SYMBOL_SUMMARY, WEEK_SUMMARY } from '../tables/calc-tables.ts';
import { symbolTotals, venueTotals } from '../tables/inputs.ts';
import { capturedBy, lockOf, normalizedInputs } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'symbol_summary';

interface Checked {
  readonly symbols: readonly SymbolSummary[];
  readonly venues: readonly VenueTotals[];
}

/** The handler of `operation:finra.otc_transparency.aggregate_week`. */
export function aggregateWeek(params: CaptureParams, ctx: HandlerContext) {
  return runStep<CaptureInputs, Checked>(ctx, {
    calc: CALC,
    stage: 'AGGREGATED',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'symbols', minimum: 1, count: ({ symbols }) => symbols.length }),
      unique({ name: 'symbol_once', keys: ({ symbols }) => symbols.map(({ symbol }) => symbol) }),
      nonNegative({
        name: 'totals_non_negative',
        values: ({ symbols }) =>
          symbols.flatMap((each) => [each.totalShares, each.totalTrades, each.avgTradeSize]),
      }),
      noNulls({
        name: 'averages_present',
        values: ({ symbols }) =>
          symbols.filter(({ totalTrades }) => !totalTrades.isZero()).map(({ avgTradeSize }) => avgTradeSize),
      }),
      // The same shares, summed another way: by venue.
      sumsTo({
        name: 'shares_by_symbol_and_venue',
        expected: ({ venues }) => sumOf(venues, ({ totalShares }) => totalShares),
        values: ({ symbols }) => symbols.map(({ totalShares }) => totalShares),
      }),
      sumsTo({
        name: 'trades_by_symbol_and_venue',
        expected: ({ venues }) => sumOf(venues, ({ totalTrades }) => totalTrades),
        values: ({ symbols }) => symbols.map(({ totalTrades }) => totalTrades),
      }),
    ],
    inputs: (trx, version) => normalizedInputs(trx, CALC, version, params),
    calculate: async (trx, { capture, upstream }, version) => {
      const symbols = (await symbolTotals(trx, upstream)).map(summarizeSymbol);
      const venues = await venueTotals(trx, upstream);
      const common = capturedBy(capture, version, ctx.run.runId);
      const totalShares = sumOf(symbols, (each) => each.totalShares);
      const totalTrades = sumOf(symbols, (each) => each.totalTrades);
      const rows = symbols.map((each) => ({
        ...common,
        symbol: each.symbol,
        issue_name: each.issueName,
        total_shares: each.totalShares.toString(),
        total_trades: each.totalTrades.toString(),
        venue_count: each.venueCount,
        avg_trade_size: each.avgTradeSize?.toString() ?? null,
      }));
      const week = {
        ...common,
        symbol_count: symbols.length,
        venue_count: venues.length,
        total_shares: totalShares.toString(),
        total_trades: totalTrades.toString(),
      };
      const { symbol_count, venue_count, total_shares, total_trades } = week;
      return {
        rows,
        metrics: { symbol_count, venue_count, total_shares, total_trades },
        checked: { symbols, venues },
        write: async ({ trx: on }) => {
          const key = SYMBOL_SUMMARY.key.key({ capture_id: capture.captureId, calc_version: version });
          await replaceForKey(on, SYMBOL_SUMMARY, key, rows);
          await replaceForKey(on, WEEK_SUMMARY, key, [week]);
        },
      };
    },
  });
}
