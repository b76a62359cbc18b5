import { describe, expect, it } from 'vitest';
import { REASON_CODE } from './reject.ts';

describe('a reason code', () => {
  it.each([
    ['INVALID_SYMBOL', true],
    ['A1', true],
    ['', false],
    ['invalid', false],
    ['1A', false],
    ['A-B', false],
    ['A\n', false],
  ])('%j: %s', (code, allowed) => {
    expect(REASON_CODE.test(code)).toBe(allowed);
  });
});
