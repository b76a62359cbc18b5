import { WeekEnding } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { hashRow, parseRow } from './row.ts';
import type { Partition, WeeklyRow } from './row.ts';
import { parseTier } from './vocabulary.ts';

const partition: Partition = { tier: 'OTC', weekEnding: WeekEnding.parse('2025-12-12') };
const good = [
  'OTC',
  'AABB',
  'Asia Broadband Inc',
  'OTCN OTC LINK NQB IDQS',
  'OTCN',
  '6753871',
  '171',
  '2025-12-15',
];

function withField(index: number, value: string): string[] {
  return good.with(index, value);
}

function row(values: readonly string[]): WeeklyRow {
  return parseRow(values, partition).unwrap();
}

describe('parseRow', () => {
  it('reads the fields of a line', () => {
    expect(row(good)).toEqual({
      symbol: 'AABB',
      issueName: 'Asia Broadband Inc',
      venueName: 'OTCN OTC LINK NQB IDQS',
      mpid: 'OTCN',
      totalShares: '6753871',
      totalTrades: 171,
      lastUpdateDate: '2025-12-15',
    });
  });

  it.each([
    ['OTC', 'OTC'],
    ['otc', 'OTC'],
    ['NMS Tier 1', 'NMS_TIER_1'],
    ['NMS_TIER_2', 'NMS_TIER_2'],
    [' NMS  Tier-2 ', 'NMS_TIER_2'],
    ['NMS Tier 3', null],
    ['', null],
    ['toString', null],
  ])('reads the tier %j as %j', (description, tier) => {
    expect(parseTier(description)).toBe(tier);
  });

  it.each(['A', 'AABB', '1COV', 'BRK B', 'BAC-L', 'BF.B', 'ACHR/WS', 'A'.repeat(20)])(
    'takes the symbol %j',
    (symbol) => {
      expect(row(withField(1, symbol)).symbol).toBe(symbol);
    },
  );

  it.each(['0', '1', '999999999999999999'])('keeps %s shares to the digit', (shares) => {
    expect(row(withField(5, shares)).totalShares).toBe(shares);
  });

  it.each([
    ['WRONG_FIELD_COUNT', good.slice(0, 7), 'the line has 7 fields; it must have 8'],
    ['WRONG_FIELD_COUNT', [...good, ''], 'the line has 9 fields'],
    ['INVALID_TEXT', withField(2, 'a\0b'), 'issueName: "a\\u0000b" holds a control character'],
    ['INVALID_TEXT', withField(2, 'a\tb'), 'issueName'],
    ['INVALID_TEXT', withField(3, 'a\u0085b'), 'marketParticipantName'],
    ['INVALID_TEXT', withField(2, 'Caf\uFFFD'), 'bytes that are not UTF-8'],
    ['INVALID_TEXT', withField(4, 'OTC'), 'MPID: "OTC" is not an MPID'],
    ['INVALID_TEXT', withField(4, 'otcn'), 'MPID'],
    ['NULL_FIELD', withField(0, ''), 'tierDescription: "" is empty'],
    ['NULL_FIELD', withField(2, '  '), 'issueName'],
    ['NULL_FIELD', withField(4, ''), 'MPID'],
    ['NULL_FIELD', withField(7, ''), 'lastUpdateDate'],
    ['UNKNOWN_TIER', withField(0, 'Grey'), 'tierDescription: "Grey" is not a tier'],
    ['TIER_MISMATCH', withField(0, 'NMS Tier 1'), 'tierDescription: "NMS Tier 1" is not OTC'],
    ['INVALID_SYMBOL', withField(1, 'BAD$YM'), 'issueSymbolIdentifier: "BAD$YM" is not a symbol'],
    ['INVALID_SYMBOL', withField(1, 'aabb'), 'issueSymbolIdentifier'],
    ['INVALID_SYMBOL', withField(1, 'BRK  B'), 'issueSymbolIdentifier'],
    ['INVALID_SYMBOL', withField(1, '-BRK'), 'issueSymbolIdentifier'],
    ['INVALID_SYMBOL', withField(1, 'A'.repeat(21)), 'issueSymbolIdentifier'],
    ['INVALID_NUMBER', withField(5, '-1'), 'totalWeeklyShareQuantity: "-1" is not a whole number'],
    ['INVALID_NUMBER', withField(5, '1.5'), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(5, '1,000'), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(5, '1e3'), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(5, '0x10'), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(5, '٣'), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(5, '1'.repeat(19)), 'totalWeeklyShareQuantity'],
    ['INVALID_NUMBER', withField(6, 'NaN'), 'totalWeeklyTradeCount: "NaN" is not a whole number'],
    ['INVALID_NUMBER', withField(6, '1'.repeat(16)), 'totalWeeklyTradeCount'],
    ['INVALID_DATE', withField(7, '2025-02-30'), 'lastUpdateDate: "2025-02-30" is not a calendar date'],
    ['INVALID_DATE', withField(7, '12/15/2025'), 'lastUpdateDate'],
  ])('refuses with %s: %j', (reason, values, detail) => {
    const parsed = parseRow(values, partition);
    expect(parsed).toMatchObject({ ok: false, error: { reason } });
    expect(parsed.isErr() && parsed.error.detail).toContain(detail);
  });

  it('shows at most 80 characters of a value', () => {
    const parsed = parseRow(withField(1, 'x'.repeat(5_000)), partition);
    expect(parsed.isErr() && parsed.error.detail.length).toBeLessThan(300);
  });
});

describe('hashRow', () => {
  const hash = (values: readonly string[]): string => hashRow(row(values), partition);

  it('does not change: stored rows are recognised by it', () => {
    expect(hash(good)).toBe('c3d6153e91623581d24d8ffa44c8bebd6d4ed3817f9bd57ec455c53e9a8791cd');
  });

  it('sees no padding and no leading zeros', () => {
    expect(hash(good.map((field) => ` ${field} `))).toBe(hash(good));
    expect(hash(withField(5, '0006753871'))).toBe(hash(good));
    expect(hash(withField(6, '0171'))).toBe(hash(good));
  });

  it('sees every field, the week and the tier', () => {
    const others = [
      hash(withField(1, 'AABC')),
      hash(withField(2, 'Asia Broadband')),
      hash(withField(3, 'OTCN')),
      hash(withField(4, 'OTCX')),
      hash(withField(5, '6753872')),
      hash(withField(6, '172')),
      hash(withField(7, '2025-12-16')),
      hashRow(row(good), { ...partition, weekEnding: WeekEnding.parse('2025-12-19') }),
      hashRow(row(good), { ...partition, tier: 'NMS_TIER_1' }),
    ];
    expect(new Set([hash(good), ...others]).size).toBe(others.length + 1);
  });
});
