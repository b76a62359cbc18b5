import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nestsDeeperThan } from './json-depth.ts';

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('nestsDeeperThan', () => {
  it('counts the levels of JSON text as a walk of the value does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: 'binary' }), fc.nat(9), (value, levels) => {
        // As long as it needs to be for the text to be looked at at all.
        const padded = [value, ' '.repeat(64)];
        expect(nestsDeeperThan(JSON.stringify(padded), levels)).toBe(depthOf(padded) > levels);
      }),
    );
  });

  it('takes no bracket in a string for a level', () => {
    const text = JSON.stringify(['[{'.repeat(100), '\\"[[['.repeat(100), '"'.repeat(99)]);
    expect(nestsDeeperThan(text, 1)).toBe(false);
    expect(nestsDeeperThan(text, 0)).toBe(true);
  });

  it('needs no stack for a million levels', () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
    expect(nestsDeeperThan(deep, 999_999)).toBe(true);
    expect(nestsDeeperThan(deep, 1_000_000)).toBe(false);
  });
});
