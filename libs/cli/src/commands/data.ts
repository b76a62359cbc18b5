/** `spine data`: what domains have computed; with `--as-of` as it was known at that time. */
import { present } from '@spine/core';
import type { DataSymbol, DataVenue, DataWeek } from '@spine/sdk';
import { timeCell } from '../frame/cells.ts';
import { addGroup, choice, option } from '../frame/command.ts';
import type { Register } from '../frame/command.ts';
import { addList } from '../frame/list.ts';
import { oneOf } from '../frame/options.ts';
import type { Options } from '../frame/options.ts';
import type { Column } from '../frame/table.ts';

const TIERS = ['OTC', 'NMS_TIER_1', 'NMS_TIER_2'] as const satisfies readonly DataWeek['tier'][];

const OF_TIER = [
  choice('--tier <tier>', 'of this tier (required)', TIERS).makeOptionMandatory(),
  option('--as-of <when>', 'as it was known then: an instant, a day, or a span ago'),
];
const WEEK = option('--week <day>', 'the week that ends on this day (default: the newest)');

/** @throws UsageError */
function tierOf(options: Options) {
  return {
    tier: oneOf('--tier', options.required('tier'), TIERS),
    ...present({ as_of: options.instant('asOf', Date.now()) }),
  };
}

const SHARES: readonly Column<DataWeek | DataSymbol | DataVenue>[] = [
  { head: 'SHARES', cell: ({ total_shares }) => total_shares, align: 'right' },
  { head: 'TRADES', cell: ({ total_trades }) => total_trades, align: 'right' },
  { head: 'CAPTURED', cell: ({ captured_at }) => timeCell(captured_at) },
];

const SYMBOL_COLUMNS: readonly Column<DataSymbol>[] = [
  { head: 'WEEK', cell: ({ week_ending }) => week_ending },
  { head: 'SYMBOL', cell: ({ symbol }) => symbol },
  { head: 'NAME', cell: ({ issue_name }) => issue_name },
  { head: 'VENUES', cell: ({ venue_count }) => venue_count, align: 'right' },
  ...SHARES,
];

export const register: Register = (program, context) => {
  const data = addGroup(program, 'data', 'weekly volumes as they were computed');
  addList<DataWeek>(data, context, {
    usage: 'weeks',
    summary: 'list the weeks of a tier, newest first',
    options: OF_TIER,
    columns: [
      { head: 'WEEK', cell: ({ week_ending }) => week_ending },
      { head: 'SYMBOLS', cell: ({ symbol_count }) => symbol_count, align: 'right' },
      { head: 'VENUES', cell: ({ venue_count }) => venue_count, align: 'right' },
      ...SHARES,
    ],
    none: 'no weeks',
    cursor: true,
    ask: (client, { options }, position) => client.data.weeks({ ...tierOf(options), ...position }),
  });
  addList<DataSymbol>(data, context, {
    usage: 'symbols',
    summary: 'list the symbols of a week, most shares first',
    options: [...OF_TIER, WEEK],
    examples: ['data symbols --tier OTC --week 2025-12-12 --json'],
    columns: SYMBOL_COLUMNS,
    none: 'no symbols',
    cursor: true,
    ask: (client, { options }, position) =>
      client.data.symbols({ ...tierOf(options), ...present({ week: options.text('week') }), ...position }),
  });
  addList<DataSymbol>(data, context, {
    usage: 'history <symbol>',
    summary: 'list the weeks of a symbol, newest first',
    options: OF_TIER,
    columns: SYMBOL_COLUMNS,
    none: 'no weeks',
    cursor: true,
    ask: (client, { arg, options }, position) =>
      client.data.history(arg(0), { ...tierOf(options), ...position }),
  });
  addList<DataVenue>(data, context, {
    usage: 'venues',
    summary: 'list the venues of a week, by their part of its shares',
    options: [...OF_TIER, WEEK],
    columns: [
      { head: 'RANK', cell: ({ rank }) => rank, align: 'right' },
      { head: 'VENUE', cell: ({ mpid }) => mpid },
      { head: 'NAME', cell: ({ venue_name }) => venue_name },
      { head: 'SHARE', cell: ({ share }) => share, align: 'right' },
      ...SHARES,
    ],
    none: 'no venues',
    cursor: false,
    ask: (client, { options }, { limit }) =>
      client.data.venues({ ...tierOf(options), ...present({ week: options.text('week') }), limit }),
  });
};
