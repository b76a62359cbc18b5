import { describe, expect, it } from 'vitest';
import { assertNever, invariant } from './assert-never.ts';
import { InvariantError } from './errors/permanent.ts';

type Shape = { kind: 'circle' } | { kind: 'square' };

function corners(shape: Shape): number {
  switch (shape.kind) {
    case 'circle':
      return 0;
    case 'square':
      return 4;
    default:
      return assertNever(shape);
  }
}

describe('assertNever', () => {
  it('names the discriminant of the unexpected value, but no other value of it', () => {
    expect(corners({ kind: 'square' })).toBe(4);
    const stranger = JSON.parse('{"kind": "hexagon", "secret": "hunter2"}') as Shape;
    expect(() => corners(stranger)).toThrow(InvariantError);
    expect(() => corners(stranger)).toThrow('unexpected value: { kind: "hexagon", secret }');
  });

  it.each([
    ['"text"', '"text"'],
    ['7', '7'],
    ['null', 'null'],
  ])('shows %s', (json, shown) => {
    expect(() => assertNever(JSON.parse(json) as never)).toThrow(`unexpected value: ${shown}`);
  });
});

describe('invariant', () => {
  it('passes what holds, narrows it, and throws the message otherwise', () => {
    const value: string | null = JSON.parse('"x"') as string | null;
    invariant(value !== null, 'a value is there');
    expect(value.length).toBe(1);
    expect(() => {
      invariant(false, 'the epoch only grows');
    }).toThrow(new InvariantError('the epoch only grows'));
  });
});
