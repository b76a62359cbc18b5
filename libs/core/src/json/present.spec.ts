import { expect, expectTypeOf, it } from 'vitest';
import { present } from './present.ts';

it('leaves undefined members out, and keeps null, zero and empty texts', () => {
  expect(Object.entries(present({ a: undefined, b: null, c: 0, d: '' }))).toEqual([
    ['b', null],
    ['c', 0],
    ['d', ''],
  ]);
});

it('has optional members where undefined was possible, and required ones elsewhere', () => {
  const made = present({ name: 'a' as string, limit: 5 as number | undefined });
  expectTypeOf(made).branded.toEqualTypeOf<{ name: string; limit?: number }>();
});
