/**
 * B3: two sources side by side, and one step that merges what they say.
 *
 * The branches run at the same time; `merge` waits for both. It gets their outputs by reference, because both answer a
 * `eps`, and from the context of the run how old each is. Figures are decimals: 2.36 and 2.35 are 0.01 apart, exactly.
 */
import { z } from 'zod';
import { ErrorCategory, parseDecimal, parsePlainDate } from '@spine/core';
import { StepResult, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { decimalText, ticker } from './fields.ts';
import { readJsonFixture } from './fixtures.ts';

const NAME = 'examples.b3_multi_source_merge';
const TITLE = 'Multi-Source Data Merge';
type Vendor = 'vendor_a' | 'vendor_b';

const asked = z.object({ ticker });
const estimate = z.object({ eps: decimalText, revenue: decimalText });
const vendorFile = z.object({ as_of: z.iso.date(), estimates: z.record(z.string(), estimate) });
const files = z.object({ vendor_a: vendorFile, vendor_b: vendorFile });
const both = z.object({
  a: estimate,
  b: estimate,
  as_of_a: z.iso.date(),
  as_of_b: z.iso.date(),
});

function fetchFrom(vendor: Vendor) {
  return async (values: object): Promise<StepResult> => {
    const { ticker } = checked(asked, values);
    const { as_of, estimates } = files.parse(await readJsonFixture('estimates'))[vendor];
    const found = new Map(Object.entries(estimates)).get(ticker);
    if (found === undefined) {
      return StepResult.fail(`${vendor} has no estimate of ${ticker}`, { category: ErrorCategory.SOURCE });
    }
    return StepResult.ok({ source: vendor, ...found }, { contextUpdates: { [`as_of_${vendor}`]: as_of } });
  };
}

function merge(values: object) {
  const { a, b, as_of_a, as_of_b } = checked(both, values);
  const eps = [parseDecimal(a.eps), parseDecimal(b.eps)] as const;
  const revenue = [parseDecimal(a.revenue), parseDecimal(b.revenue)] as const;
  return {
    consensus_eps: eps[0].plus(eps[1]).div(2).toString(),
    eps_spread: eps[0].minus(eps[1]).abs().toString(),
    consensus_revenue: revenue[0].plus(revenue[1]).div(2).toString(),
    sources_merged: eps.length,
    // A consensus is as old as the older of those it is made of.
    as_of: parsePlainDate(as_of_a) < parsePlainDate(as_of_b) ? as_of_a : as_of_b,
  };
}

export function multiSourceMerge(): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example', 'playground'] })
    .defaults({ ticker: 'AAPL' })
    .parallel(
      (branch) => branch.step('fetch_vendor_a', fetchFrom('vendor_a')),
      (branch) => branch.step('fetch_vendor_b', fetchFrom('vendor_b')),
    )
    .step('merge', merge, {
      config: {
        a: '{{ steps.fetch_vendor_a.output }}',
        b: '{{ steps.fetch_vendor_b.output }}',
        as_of_a: '{{ context.as_of_vendor_a }}',
        as_of_b: '{{ context.as_of_vendor_b }}',
      },
    })
    .build();
}

export const b3MultiSourceMerge: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'basic',
    description:
      'Two branches in parallel and a merge: outputs by reference, facts about them in the context.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { ticker: 'AAPL' } },
    tags: ['workflow', 'builder', 'parallel', 'context', 'playground'],
  },
  register: (to) => {
    registerManaged(to, multiSourceMerge());
  },
};
