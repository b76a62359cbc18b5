import { describe, expect, it } from 'vitest';
import { collectTiers, summarizeTier } from './tiers.ts';

const ingest = { tier: 'OTC', file_path: 'a.csv', inserted: 3 };

describe('what is kept of a tier', () => {
  it('is its file, and of each step what it did', () => {
    const normalize = { skipped: false, rows: 3, capture_id: 'c', superseded: 1, warnings: [] };
    const rolling = { skipped: true, reason: 'done', warnings: ['few weeks'] };
    expect(summarizeTier({ ingest, normalize, rolling })).toEqual({
      tier: 'OTC',
      file: { file_path: 'a.csv', inserted: 3 },
      steps: {
        normalize: { skipped: false, rows: 3, capture_id: 'c', warnings: [] },
        rolling: { skipped: true, reason: 'done', warnings: ['few weeks'] },
      },
    });
  });

  it('is refused where it is no answer of an operation', () => {
    expect(() => summarizeTier({ ingest: {} })).toThrow('ingest: is not the answer');
    expect(() => summarizeTier({ ingest, normalize: 7 })).toThrow('normalize: is not the answer');
  });

  it('is collected by tier, each once', () => {
    const of = (tier: string) => summarizeTier({ ingest: { tier }, rolling: { warnings: ['few'] } });
    expect(collectTiers({ items: [of('NMS_TIER_2'), of('OTC'), of('OTC')] })).toEqual({
      tiers: ['OTC', 'NMS_TIER_2'],
      warnings: ['NMS_TIER_2: rolling: few', 'OTC: rolling: few', 'OTC: rolling: few'],
    });
    expect(collectTiers({ items: [] })).toEqual({ tiers: [], warnings: [] });
  });
});
