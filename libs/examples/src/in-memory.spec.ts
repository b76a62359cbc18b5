/** Examples that need no database, from their params to their outputs. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FixedClock, parseDecimal, sumDecimals } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { ManagedWorkflow } from '@spine/orchestration';
import { stockSplit } from './a2-stock-split.ts';
import { helloWorld } from './b1-hello-world.ts';
import { multiSourceMerge } from './b3-multi-source-merge.ts';
import { featureFlagged } from './b5-feature-flags.ts';
import { exampleFlags } from './b5-flags.ts';
import { EXAMPLES } from './examples.ts';
import { portfolioAnalysis } from './i2-portfolio.ts';
import { debugPipeline } from './m4-debug-pipeline.ts';
import { debugSession } from './m4-playground-debugging.ts';

const paramsOf = (name: string): JsonObject => {
  const example = EXAMPLES.find((each) => each.name === name);
  if (example === undefined) throw new Error(`there is no example ${name}`);
  return example.run.params;
};

async function outputsOf(managed: ManagedWorkflow, params: JsonObject = {}): Promise<JsonObject> {
  const { status, outputs, error } = await managed.run(params);
  expect({ status, error }).toEqual({ status: 'completed', error: null });
  return outputs;
}

async function failureOf(managed: ManagedWorkflow, params: JsonObject) {
  const { status, failedStep, error } = await managed.run(params);
  return { status, failedStep, category: error?.category, message: error?.message };
}

describe('B1', () => {
  it('hands the message on', async () => {
    const outputs = await outputsOf(helloWorld(), { name: 'Ada' });
    expect(outputs['shout']).toEqual({ shouted: 'HELLO, ADA!', letters: 8 });
    expect(await failureOf(helloWorld(), { name: 7 })).toMatchObject({
      failedStep: 'greet',
      category: 'VALIDATION',
      message: expect.stringContaining('params.name') as string,
    });
  });
});

describe('B3', () => {
  it('merges what two vendors say, exactly', async () => {
    expect(await outputsOf(multiSourceMerge(), { ticker: 'AAPL' })).toEqual({
      merge: {
        consensus_eps: '2.355',
        eps_spread: '0.01',
        consensus_revenue: '124065000000',
        sources_merged: 2,
        as_of: '2025-01-13',
      },
    });
    expect(await failureOf(multiSourceMerge(), { ticker: 'AMZN' })).toMatchObject({
      failedStep: 'fetch_vendor_b',
      category: 'SOURCE',
    });
  });
});

describe('B5', () => {
  const record = 'cik=320193; filer=true;name=Apple Inc.;odd';

  it('goes the way its flags say, and records what they said', async () => {
    const flags = exampleFlags();
    const managed = featureFlagged(flags);
    const byDefault = await managed.run({ record });
    expect(byDefault.outputs).toMatchObject({
      store: {
        parser: 'v1',
        fields: { cik: '320193', ' filer': 'true', name: 'Apple Inc.', odd: '' },
        enriched: { field_count: 4 },
      },
    });
    flags.set('use_new_parser', true);
    flags.set('enable_enrichment', false);
    const switched = await managed.run({ record });
    expect(switched.outputs).toEqual({
      store: {
        parser: 'v2',
        fields: { cik: 320193, filer: true, name: 'Apple Inc.', odd: '' },
        enriched: null,
      },
    });
    const statuses = Object.fromEntries(switched.steps.map(({ name, status }) => [name, status]));
    expect(statuses).toMatchObject({ parse_v1: 'not_taken', parse_v2: 'completed', enrich: 'skipped' });
    expect(switched.steps[0]?.output).toEqual({ use_new_parser: true, enable_enrichment: false });
    // For one run alone.
    const once = await managed.run({ record, flags: { use_new_parser: false } });
    expect(once.outputs).toMatchObject({ store: { parser: 'v1' } });
    expect(flags.isEnabled('use_new_parser')).toBe(true);
  });
});

describe('I2', () => {
  it('sums to the cent', async () => {
    const outputs = await outputsOf(portfolioAnalysis(), paramsOf('examples.i2_portfolio_analysis'));
    // 1,000 x 250.42 + 500 x 421.50 + 200 x 219.39 + 300 x 189.30, bought for 356,000.00
    expect(outputs['aggregate']).toMatchObject({
      total_positions: 4,
      total_cost: '356000',
      total_value: '561838',
      total_pnl: '205838',
      return_pct: '57.82',
      concentration: 'HIGH',
    });
  });

  it('for any portfolio: profits add up, weights are 1', async () => {
    const cents = fc.integer({ min: 0, max: 10_000_000 }).map((value) => (value / 100).toFixed(2));
    const held = fc.array(
      fc.record({
        ticker: fc.constantFrom('AAPL', 'MSFT', 'AMZN', 'GOOGL'),
        shares: fc.integer({ min: 1, max: 1_000_000 }),
        cost_basis: cents,
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(held, async (positions) => {
        const run = await portfolioAnalysis().run({ as_of: '2024-12-30', positions });
        const each = run.steps.find(({ name }) => name === 'analyze_each')?.output?.['items'] as {
          pnl: string;
        }[];
        const total = run.outputs['aggregate'] as { total_pnl: string; weights: { weight: string }[] };
        expect(sumDecimals(each.map(({ pnl }) => parseDecimal(pnl))).toString()).toBe(total.total_pnl);
        expect(sumDecimals(total.weights.map(({ weight }) => parseDecimal(weight))).toString()).toBe('1');
      }),
      { numRuns: 25 },
    );
  });
});

describe('A2', () => {
  const split = () => stockSplit(new FixedClock('2026-01-01T00:00:00Z'));

  it('takes old prices to the shares of today and corrects a vendor', async () => {
    const outputs = await outputsOf(split(), paramsOf('examples.a2_stock_split'));
    expect(outputs['composite_factor']).toBe('224');
    expect(outputs['adjusted']).toEqual([
      { date: '2014-06-06', raw: '645.57', factor: '28', close: '23.0561' },
      { date: '2014-06-09', raw: '93.70', factor: '4', close: '23.425' },
      { date: '2020-08-28', raw: '499.23', factor: '4', close: '124.8075' },
      { date: '2020-08-31', raw: '129.04', factor: '1', close: '129.04' },
    ]);
    // 23.0561 agrees; 124.81 is 0.0025 off.
    expect(outputs['corrections']).toMatchObject([
      {
        entity_key: 'AAPL',
        field_name: 'adjusted_close:2020-08-28',
        original_value: '124.81',
        corrected_value: '124.8075',
        delta: '-0.0025',
        corrected_at: '2026-01-01T00:00:00.000Z',
      },
    ]);
  });

  it('knows a reverse split, takes splits from its params, and refuses a ticker without any', async () => {
    const prices = [{ date: '2021-07-30', close: '12.95' }];
    const reverse = await outputsOf(split(), { ticker: 'GE', as_of: '2021-08-02', prices });
    expect(reverse).toMatchObject({ composite_factor: '3/8', adjusted: [{ close: '103.6' }] });
    const own = { ticker: 'XYZ', as_of: '2021-08-02', prices };
    expect(await failureOf(split(), own)).toMatchObject({
      failedStep: 'build_chain',
      category: 'VALIDATION',
    });
    const given = [{ effective_date: '2021-08-01', factor: '3:2' }];
    expect(await outputsOf(split(), { ...own, splits: given })).toMatchObject({
      adjusted: [{ close: '8.6333' }],
    });
  });
});

describe('M4', () => {
  it('fails, goes back, and runs only the rest again', async () => {
    const params = { records: [1, 2, 3, 4, 5], factor: 2, max_value: 8, fixed_factor: 1 };
    expect(await debugSession(params)).toMatchObject({
      first: [
        { step: 'fetch', status: 'ok' },
        { step: 'transform', status: 'ok', output: { multiplied: [2, 4, 6, 8, 10] } },
        { step: 'validate', status: 'fail', error: '10 exceed 8' },
      ],
      run_then: 'failed',
      rewound_to: 'transform',
      kept: ['fetch'],
      again: [
        { step: 'transform', output: { multiplied: [1, 2, 3, 4, 5] } },
        { step: 'validate', output: { valid: 5 } },
      ],
      run_now: 'completed',
      outputs: { validate: { valid: 5 } },
      steps_run: 5,
    });
  });

  it('shows what a run in earnest does', async () => {
    expect(await failureOf(debugPipeline(), {})).toMatchObject({
      failedStep: 'validate',
      category: 'DATA_QUALITY',
      message: '10 exceed 8',
    });
  });
});
