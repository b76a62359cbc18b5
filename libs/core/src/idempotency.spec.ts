import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from './errors/permanent.ts';
import { LogicalKeyColumns } from './idempotency-key.ts';
import { IDEMPOTENCY_LEVELS, IdempotencyLevel, rerunEffect } from './idempotency.ts';

const WEEK = LogicalKeyColumns.of('week_ending', 'tier');
const key = WEEK.key({ week_ending: '2025-12-26', tier: 'NMS_TIER_1' });

describe('IdempotencyLevel', () => {
  it('says what a second run does', () => {
    expect(IDEMPOTENCY_LEVELS.map(rerunEffect)).toEqual(['duplicates', 'unchanged', 'replaced']);
    expect(new Set(IDEMPOTENCY_LEVELS)).toEqual(new Set(Object.values(IdempotencyLevel)));
  });
});

describe('LogicalKey', () => {
  it('is a condition with parameters', () => {
    expect(key.whereClause()).toEqual({
      text: '"week_ending" = $1 AND "tier" = $2',
      values: ['2025-12-26', 'NMS_TIER_1'],
    });
    expect(key.whereClause(3).text).toBe('"week_ending" = $3 AND "tier" = $4');
  });

  it('is one text, whatever order its values were given in', () => {
    const other = LogicalKeyColumns.of('tier', 'week_ending').key({
      tier: 'NMS_TIER_1',
      week_ending: '2025-12-26',
    });
    expect(key.text).toBe('{"tier":"NMS_TIER_1","week_ending":"2025-12-26"}');
    expect([other.text, String(other), JSON.stringify(other)]).toEqual([
      key.text,
      key.text,
      '{"tier":"NMS_TIER_1","week_ending":"2025-12-26"}',
    ]);
    expect(other.equals(key)).toBe(true);
    expect(WEEK.key({ week_ending: '2025-12-26', tier: 'OTC' }).equals(key)).toBe(false);
  });

  it('is equal exactly when every column is', () => {
    const value = fc.oneof(fc.constantFrom('1', 'true', ''), fc.integer({ min: 0, max: 2 }), fc.boolean());
    const pair = fc.record({ week_ending: value, tier: value });
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const same = a.week_ending === b.week_ending && a.tier === b.tier;
        expect(WEEK.key(a).equals(WEEK.key(b))).toBe(same);
      }),
    );
  });

  it('keeps user text out of the condition', () => {
    const hostile = `'; DROP TABLE runs; --`;
    const clause = WEEK.key({ week_ending: hostile, tier: hostile }).whereClause();
    expect(clause.text).toBe('"week_ending" = $1 AND "tier" = $2');
    expect(clause.values).toEqual([hostile, hostile]);
  });

  it.each([
    [{ week_ending: '2025-12-26' }, 'tier'],
    [{ week_ending: '2025-12-26', tier: null }, 'tier'],
    [{ week_ending: '2025-12-26', tier: undefined }, 'tier'],
    [{ week_ending: 0.5, tier: 'OTC' }, 'week_ending'],
    [{ week_ending: 2 ** 53, tier: 'OTC' }, 'week_ending'],
    [{ week_ending: 'a\0', tier: 'OTC' }, 'week_ending'],
    [{ week_ending: '2025-12-26', tier: 'OTC', venue: 'X' }, 'venue'],
    [{ week_ending: '2025-12-26', tier: 'OTC', ['tier" OR true --']: 1 }, 'tier" OR true --'],
  ])('refuses %o, naming %s', (values, field) => {
    const given = values as { week_ending: string; tier: string };
    expect(() => WEEK.key(given)).toThrow(ValidationError);
    expect(() => WEEK.key(given)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ field })] }),
    );
  });

  it.each([[[]], [['Week']], [['a b']], [['a"']], [['1a']], [['a', 'a']], [['x'.repeat(64)]]])(
    'has no columns %j',
    (columns) => {
      expect(() => LogicalKeyColumns.of(...columns)).toThrow(ValidationError);
    },
  );

  it('cannot be changed', () => {
    expect([key, key.values, WEEK, WEEK.columns].every((part) => Object.isFrozen(part))).toBe(true);
  });
});
