import { describe, expect, it } from 'vitest';
import { FileFacts } from './facts.ts';

function factsOf(
  lines: readonly (readonly [tier: string, date: string])[],
): Pick<FileFacts, 'lines' | 'tier' | 'lastUpdateDate'> {
  const facts = new FileFacts();
  facts.add(
    lines.map(([tier, date], index) => ({
      line: index + 2,
      fields: [tier, 'A', 'a', 'v', 'OTCN', '1', '1', date],
    })),
  );
  return facts;
}

describe('FileFacts', () => {
  it('knows nothing of a file without rows, or without one that is readable', () => {
    expect(factsOf([])).toMatchObject({ lines: 0, tier: null, lastUpdateDate: null });
    expect(factsOf([['?', 'yesterday']])).toMatchObject({ lines: 1, tier: null, lastUpdateDate: null });
  });

  it('believes the majority, so that a broken first row decides nothing', () => {
    const facts = factsOf([
      ['NMS Tier 1', '2005-12-15'],
      ['OTC', '2025-12-15'],
      ['OTC', '2025-12-15 '],
    ]);
    expect(facts).toMatchObject({ tier: 'OTC', lastUpdateDate: '2025-12-15' });
  });

  it('counts across chunks and takes the first of equals', () => {
    const facts = new FileFacts();
    const line = (tier: string) => [
      { line: 2, fields: [tier, 'A', 'a', 'v', 'OTCN', '1', '1', '2025-12-15'] },
    ];
    facts.add(line('NMS Tier 2'));
    facts.add(line('OTC'));
    expect(facts.tier).toBe('NMS_TIER_2');
    facts.add(line('OTC'));
    expect(facts.tier).toBe('OTC');
  });

  it('ignores lines with another number of fields', () => {
    const facts = new FileFacts();
    facts.add([{ line: 2, fields: ['OTC', '2025-12-15'] }]);
    expect(facts.tier).toBeNull();
  });
});
