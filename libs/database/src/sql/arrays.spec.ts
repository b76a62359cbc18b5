import { describe, expect, it } from 'vitest';
import { jsonArray, plainArray, textArray } from './arrays.ts';

// That Postgres reads back exactly what was put in is shown by test/integration/engine-statements.

describe('array literals', () => {
  it('writes plain elements as they are', () => {
    expect(plainArray([])).toBe('{}');
    expect(plainArray([1, null, -2])).toBe('{1,NULL,-2}');
    expect(plainArray([true, false])).toBe('{true,false}');
    expect(plainArray(['queued', null])).toBe('{queued,NULL}');
  });

  it('quotes text, and escapes what would end the quote', () => {
    expect(textArray([])).toBe('{}');
    expect(textArray(['a', null, 'b c'])).toBe('{"a",NULL,"b c"}');
    expect(textArray(['say "hi"', 'back\\slash'])).toBe('{"say \\"hi\\"","back\\\\slash"}');
  });

  it('tells the word NULL, and the empty text, from no value', () => {
    expect(textArray(['NULL', '', null])).toBe('{"NULL","",NULL}');
  });

  it('writes the JSON of values as its text would be written', () => {
    const values = [{ a: 'say "hi"\n\\' }, null, [1, '\u0001', '\u2028'], 'text', -1.5];
    expect(jsonArray(values)).toBe(textArray(values.map((value) => JSON.stringify(value))));
  });
});
