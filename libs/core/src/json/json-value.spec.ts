import { describe, expect, it } from 'vitest';
import { isJsonObject } from './json-value.ts';

describe('isJsonObject', () => {
  it('tells objects from arrays, null and primitives', () => {
    expect(isJsonObject({})).toBe(true);
    for (const other of [[], null, 'x', 1, true, undefined]) expect(isJsonObject(other)).toBe(false);
  });
});
