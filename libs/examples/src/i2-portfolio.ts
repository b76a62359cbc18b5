/**
 * I2: fan out over the positions of a portfolio, then collapse what came of each.
 *
 * `analyze_each` runs its iterator once for every position, at most four at a time; its output has the items in the order
 * of the positions, whatever order they ended in. Money is exact: the profits of the positions sum to the portfolio's.
 */
import { z } from 'zod';
import { hhi, parseDecimal, ratio, shares, sumDecimals } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { fromFunction, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged, SAFE } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { decimalText, plainDate, ticker } from './fields.ts';
import { Closes, PORTFOLIO, position, positions } from './portfolio.ts';

const NAME = 'examples.i2_portfolio_analysis';
const TITLE = 'Fan-Out Portfolio Analysis';
const ANALYZE = `${NAME}.analyze_position`;

const asked = z.object({ as_of: plainDate, positions: positions.optional() });

/** The positions, each with its closing price. */
async function load(values: object): Promise<JsonObject> {
  const { as_of, positions: held = PORTFOLIO } = checked(asked, values);
  const closes = await Closes.read();
  return {
    positions: held.map((each) => ({ ...each, close: closes.on(as_of, each.ticker) })),
    count: held.length,
  };
}

const priced = z.object({ position: position.extend({ close: decimalText }) });

function analyze(values: object) {
  const { ticker, shares, cost_basis, close } = checked(priced, values).position;
  const cost = parseDecimal(cost_basis).times(shares);
  const value = parseDecimal(close).times(shares);
  const pnl = value.minus(cost);
  return {
    ticker,
    cost: cost.toString(),
    value: value.toString(),
    pnl: pnl.toString(),
    // Null for what was had for nothing.
    return_pct: ratio(pnl.times(100), cost, 2)?.toString() ?? null,
  };
}

const analyzed = z.object({
  items: z.array(z.object({ ticker, cost: decimalText, value: decimalText, pnl: decimalText })),
});

function aggregate(values: object): JsonObject {
  const { items } = checked(analyzed, values);
  const total = (field: 'cost' | 'value' | 'pnl') =>
    sumDecimals(items.map((item) => parseDecimal(item[field])));
  const weights = shares(items.map(({ value }) => parseDecimal(value))) ?? [];
  const concentration = hhi(weights);
  return {
    total_positions: items.length,
    total_cost: total('cost').toString(),
    total_value: total('value').toString(),
    total_pnl: total('pnl').toString(),
    return_pct: ratio(total('pnl').times(100), total('cost'), 2)?.toString() ?? null,
    weights: items.map(({ ticker }, index) => ({ ticker, weight: weights[index]?.toString() ?? '0' })),
    concentration: concentration?.concentration ?? null,
    hhi_points: concentration?.points.toFixed(0) ?? null,
  };
}

export function portfolioAnalysis(): ManagedWorkflow {
  const built = workflow(NAME, {
    domain: 'examples',
    description: TITLE,
    tags: ['example', 'playground'],
  })
    .defaults({ as_of: '2024-12-31' })
    .step('load', load)
    .map(
      'analyze_each',
      '{{ steps.load.output.positions }}',
      [{ name: 'analyze', kind: 'lambda', handler: ANALYZE, params: { position: '{{ item }}' } }],
      { maxConcurrency: 4 },
    )
    .step('aggregate', aggregate, { reads: ['analyze_each'] })
    .build();
  built.handlers.add('lambda', ANALYZE, analyzePosition);
  return built;
}

const analyzePosition = fromFunction(analyze);

export const i2Portfolio: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'intermediate',
    description: 'A map over positions, four at a time, and an aggregate with exact sums and concentration.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { as_of: '2024-12-31' } },
    tags: ['workflow', 'map', 'fan-out', 'finance', 'playground'],
  },
  register: (to) => {
    to.workflows.registerFunction(ANALYZE, analyzePosition, SAFE);
    registerManaged(to, portfolioAnalysis());
  },
};
