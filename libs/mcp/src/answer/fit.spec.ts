import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonLocation } from '@spine/core';
import { fitList, fitValue } from './fit.ts';

describe('fitValue', () => {
  it('leaves what fits as it is', () => {
    const value = { rows: [1, 2, 3], text: 'x' };
    expect(fitValue(value, 200)).toEqual({ value, omitted: [] });
  });

  it('tells what it left out, by a path that leads there', () => {
    const whole = {
      result: { rows: Array.from({ length: 5_000 }, (_, n) => ({ n })), 'a b': 'y'.repeat(9_000) },
    };
    const { value, omitted } = fitValue(whole, 2_000);
    expect(omitted.map(({ path, of, unit }) => ({ path, of, unit }))).toEqual([
      { path: '$.result.rows', of: 5_000, unit: 'items' },
      { path: "$.result['a b']", of: 9_000, unit: 'characters' },
    ]);
    for (const { path, kept, unit } of omitted) {
      const [there, here] = [whole, value].map((each) => parseJsonLocation(path).read(each));
      if (unit === 'items') expect(here).toEqual((there as unknown[]).slice(0, kept));
      else expect(here).toBe(`${(there as string).slice(0, kept)}…`);
    }
  });

  it('gives up on what has no small form', () => {
    const { value, omitted } = fitValue({ ['n'.repeat(5_000)]: 1 }, 1_000);
    expect({ value, omitted }).toEqual({
      value: null,
      omitted: [{ path: '$', kept: 0, of: 1, unit: 'levels' }],
    });
  });
});

describe('fitList', () => {
  it('keeps whole items, and counts those without room', () => {
    const items = Array.from({ length: 50 }, (_, n) => ({ n, text: 'x'.repeat(100) }));
    const { value, omitted, left } = fitList(items, 3_000);
    expect(value).toEqual(items.slice(0, value.length));
    expect(omitted).toEqual([]);
    expect(left).toBe(50 - value.length);
    expect(value.length).toBeGreaterThan(10);
  });

  it('lets one large item take no more than its share', () => {
    const items = [{ text: 'x'.repeat(50_000) }, { text: 'small' }];
    const { value, omitted, left } = fitList(items, 3_000);
    expect(left).toBe(0);
    expect(value[1]).toEqual({ text: 'small' });
    expect(omitted).toMatchObject([{ path: '$[0].text', of: 50_000 }]);
  });
});

describe('any JSON', () => {
  const json = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' });

  it('fits its budget', () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 100, max: 3_000 }), (whole, budget) => {
        const { value, omitted } = fitValue(whole, budget);
        expect(JSON.stringify(value).length).toBeLessThanOrEqual(budget);
        expect(omitted.length === 0).toBe(JSON.stringify(whole) === JSON.stringify(value));
      }),
    );
  });

  it('fits its budget as a list, with at least one item', () => {
    const lists = fc.array(json, { maxLength: 40 });
    fc.assert(
      fc.property(lists, fc.integer({ min: 1_000, max: 3_000 }), (items, budget) => {
        const { value, left } = fitList(items, budget);
        expect(JSON.stringify(value).length).toBeLessThanOrEqual(budget);
        expect(value.length + left).toBe(items.length);
        expect(value.length > 0).toBe(items.length > 0);
      }),
    );
  });
});
