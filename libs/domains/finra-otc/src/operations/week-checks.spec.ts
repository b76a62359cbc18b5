import { QualityRunner } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { WEEK_CHECKS, WEEK_STAGES } from './week-checks.ts';
import type { TierFacts, WeekToCheck } from './week-checks.ts';

const totals = { shares: '100', trades: '7' };
const GOOD: TierFacts = {
  tier: 'OTC',
  captureId: 'c2',
  stages: new Map(WEEK_STAGES.map((stage) => [stage, 'c2'])),
  rows: { seen: 200, rejected: 10 },
  totals: { normalized: totals, symbols: totals, venues: { shares: '100.000', trades: '7' } },
};

/** The checks that fail, with what they say. */
async function failures(tier: Partial<TierFacts>, maxRejectRate = '0.05') {
  const runner = new QualityRunner<WeekToCheck>();
  for (const check of WEEK_CHECKS) runner.add(check);
  await runner.runAll({ tiers: [{ ...GOOD, ...tier }], maxRejectRate });
  return runner.failures().map(({ checkName, message }) => [checkName, message]);
}

describe('the gates of a week', () => {
  it('are open for a week that is complete and of one piece', async () => {
    expect(await failures({})).toEqual([]);
  });

  it('want every stage', async () => {
    const stages = new Map([...GOOD.stages].filter(([stage]) => stage !== 'ROLLING'));
    expect(await failures({ stages })).toContainEqual(['week_stages_reached', 'OTC has not reached ROLLING']);
  });

  it('want every stage of the newest capture; an ingest names its own', async () => {
    const of = (stage: string) => new Map([...GOOD.stages, [stage, 'c1'] as const]);
    expect(await failures({ stages: of('AGGREGATED') })).toEqual([
      ['week_of_one_capture', 'AGGREGATED of OTC is made of c1, the newest is c2'],
    ]);
    expect(await failures({ stages: of('INGESTED') })).toEqual([]);
  });

  it.each([
    [{ symbols: { ...totals, shares: '99' } }, 'OTC: 99 shares by symbols, 100 in the rows'],
    [{ venues: { ...totals, trades: '8' } }, 'OTC: 8 trades by venues, 7 in the rows'],
    [{ venues: null }, 'OTC: there are no venues'],
    [{ normalized: null }, 'OTC: there are no normalized rows'],
  ])('want the same volume everywhere: %j', async (wrong, message) => {
    expect(await failures({ totals: { ...GOOD.totals, ...wrong } })).toEqual([
      ['week_totals_agree', message],
    ]);
  });

  it('want no more rejects than are allowed, exactly', async () => {
    expect(await failures({ rows: { seen: 200, rejected: 11 } })).toEqual([
      ['week_rejects', 'OTC: 11 of 200 rows were refused; allowed is a part of 0.05'],
    ]);
    expect(await failures({ rows: { seen: 3, rejected: 1 } }, '0.3333')).toHaveLength(1);
    expect(await failures({ rows: { seen: 0, rejected: 0 } }, '0')).toEqual([]);
  });
});
