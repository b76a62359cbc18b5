import { parsePlainDate } from '@spine/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tierOf } from '../tier-alias.ts';
import { cleanSymbol, isTestIssue } from './clean-symbol.ts';
import { compareRecency, examine, Normalizer, NormalizeReason } from './normalize.ts';
import type { RawRow } from './normalize.ts';

const WEEK = parsePlainDate('2025-12-12');

function row(more: Partial<RawRow> = {}): RawRow {
  return {
    recordHash: 'h',
    symbol: 'AABB',
    issueName: 'n',
    venueName: 'v',
    mpid: 'OTCN',
    totalShares: '10',
    totalTrades: '1',
    lastUpdateDate: parsePlainDate('2025-12-15'),
    capturedAt: '2025-12-16T00:00:00.000000Z',
    sourceFile: 'f',
    sourceSha256: 's',
    sourceLine: 2,
    ...more,
  };
}

describe('a symbol', () => {
  it.each([
    ['AABB', 'AABB'],
    [' aabb ', 'AABB'],
    ['BRK B', 'BRK.B'],
    ['BRK/B', 'BRK.B'],
    ['BRK-B', 'BRK.B'],
    ['brk.b', 'BRK.B'],
    ['A.B.C', 'A.B.C'],
    ['', null],
    ['A..B', null],
    ['.A', null],
    ['A-', null],
    ['A$B', null],
    ['Ä', null],
    ['A'.repeat(21), null],
  ])('%j has the clean form %j', (text, clean) => {
    expect(cleanSymbol(text)).toBe(clean);
  });

  it('that is clean stays as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const clean = cleanSymbol(text);
        if (clean !== null) expect(cleanSymbol(clean)).toBe(clean);
      }),
    );
    expect(isTestIssue('ZVZZT')).toBe(true);
    expect(isTestIssue('ZVTK')).toBe(false);
  });
});

describe('a tier', () => {
  it.each([
    ['OTC', 'OTC'],
    ['otc equity', 'OTC'],
    ['NMS Tier 2', 'NMS_TIER_2'],
    ['tier 2', 'NMS_TIER_2'],
    ['T1', 'NMS_TIER_1'],
    ['nms-t1', 'NMS_TIER_1'],
    ['T3', null],
    ['toString', null],
    ['', null],
  ])('%j means %j', (name, tier) => {
    expect(tierOf(name)).toBe(tier);
  });
});

describe('a raw row', () => {
  it.each([
    [{ symbol: 'A$' }, NormalizeReason.INVALID_SYMBOL],
    [{ symbol: 'zvzzt' }, NormalizeReason.TEST_ISSUE],
    [{ totalShares: '3', totalTrades: '4' }, NormalizeReason.INCONSISTENT_COUNTS],
    [{ totalShares: '3', totalTrades: '0' }, NormalizeReason.INCONSISTENT_COUNTS],
    [{ lastUpdateDate: parsePlainDate('2025-12-11') }, NormalizeReason.UPDATED_BEFORE_WEEK_END],
  ])('is refused: %j', (more, reason) => {
    expect(examine(row(more), WEEK)).toMatchObject({ type: 'rejected', rejected: { reason } });
  });

  it.each([
    { totalShares: '0', totalTrades: '0' },
    { totalShares: '4', totalTrades: '4' },
    { totalShares: '999999999999999999', totalTrades: '999999999999999' },
    { lastUpdateDate: WEEK },
  ])('is accepted: %j', (more) => {
    expect(examine(row(more), WEEK)).toMatchObject({ type: 'accepted' });
  });
});

describe('the rows of a week', () => {
  const some = fc.record({
    symbol: fc.constantFrom('AABB', 'BRK B', 'BRK.B', 'A$', 'ZVZZT'),
    mpid: fc.constantFrom('OTCN', 'ARCA'),
    totalShares: fc.constantFrom('10', '20', '0'),
    totalTrades: fc.constantFrom('1', '2'),
    lastUpdateDate: fc
      .constantFrom('2025-12-01', '2025-12-15', '2025-12-22')
      .map((date) => parsePlainDate(date)),
    capturedAt: fc.constantFrom('2025-12-16T00:00:00.000000Z', '2025-12-16T00:00:00.000001Z'),
    sourceLine: fc.integer({ min: 2, max: 4 }),
  });
  const rows = fc
    .array(some)
    .map((list) => list.map((each, index) => row({ ...each, recordHash: `h${index}` })));

  function normalized(given: readonly RawRow[]) {
    const normalizer = new Normalizer(WEEK);
    for (const each of given) normalizer.add(each);
    return normalizer.end();
  }

  it('are each accepted, rejected, a duplicate or superseded, and never two of these', () => {
    fc.assert(
      fc.property(rows, (given) => {
        const { accepted, rejected, duplicates, superseded } = normalized(given);
        expect(accepted.length + rejected.length + duplicates + superseded).toBe(given.length);
        const keys = accepted.map(({ symbol, mpid }) => `${symbol} ${mpid}`);
        expect(new Set(keys).size).toBe(keys.length);
        expect([...keys].sort()).toEqual(keys);
        for (const winner of accepted) {
          const rivals = given.filter(
            (each) => cleanSymbol(each.symbol) === winner.symbol && each.mpid === winner.mpid,
          );
          const lawful = rivals.filter((each) => examine(each, WEEK).type === 'accepted');
          for (const rival of lawful) {
            if (rival.recordHash !== winner.recordHash)
              expect(compareRecency(winner, rival)).toBeGreaterThan(0);
          }
        }
      }),
    );
  });

  it('come to the same in any order', () => {
    const shuffled = rows.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length })),
    );
    fc.assert(
      fc.property(shuffled, ([given, other]) => {
        const [a, b] = [normalized(given), normalized(other)];
        expect({ ...b, rejected: b.rejected.length }).toEqual({ ...a, rejected: a.rejected.length });
      }),
    );
  });
});
