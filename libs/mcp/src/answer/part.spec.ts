import { describe, expect, it } from 'vitest';
import { readPart } from './part.ts';

const WHOLE = { result: { rows: ['a', 'b', 'c'], text: 'abcdef', n: 1 } };

describe('readPart', () => {
  it('reads on from where the last answer ended', () => {
    expect(readPart(WHOLE, {})).toEqual({ value: WHOLE, path: '$', length: null });
    expect(readPart(WHOLE, { part: '$.result.rows', from: 1 })).toEqual({
      value: ['b', 'c'],
      path: '$.result.rows',
      length: 3,
    });
    expect(readPart(WHOLE, { part: '$.result.text', from: 4 })).toMatchObject({ value: 'ef', length: 6 });
  });

  it.each([
    [{ part: '$.nothing' }, 'part'],
    [{ part: 'result' }, 'part'],
    [{ part: '$.constructor' }, 'part'],
    [{ part: '$.result.rows', from: 3 }, 'from'],
    [{ part: '$.result', from: 1 }, 'from'],
  ])('refuses %j, by field', (asked, field) => {
    expect(() => readPart(WHOLE, asked)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ field })] }),
    );
  });
});
