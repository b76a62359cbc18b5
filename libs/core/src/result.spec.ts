import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { InvariantError } from './errors/permanent.ts';
import {
  collect,
  collectAllErrors,
  err,
  fromNullable,
  ok,
  partition,
  tryResult,
  tryResultAsync,
  type Result,
} from './result.ts';

const half = (n: number): Result<number, string> => (n % 2 === 0 ? ok(n / 2) : err(`${n} is odd`));
const anyResult: fc.Arbitrary<Result<number, string>> = fc.oneof(
  fc.integer().map((n): Result<number, string> => ok(n)),
  fc.string().map((text): Result<number, string> => err(text)),
);
const step: fc.Arbitrary<(n: number) => Result<number, string>> = fc.func(anyResult);

describe('Result', () => {
  it('narrows by ok, isOk and isErr', () => {
    const result = half(4);
    if (result.ok) expectTypeOf(result.value).toEqualTypeOf<number>();
    else expectTypeOf(result.error).toEqualTypeOf<string>();
    if (result.isOk()) expectTypeOf(result.value).toEqualTypeOf<number>();
    else expectTypeOf(result.error).toEqualTypeOf<string>();
    if (result.isErr()) expectTypeOf(result.error).toEqualTypeOf<string>();
    else expectTypeOf(result.value).toEqualTypeOf<number>();
    expect([ok(1).isOk(), ok(1).isErr(), err(1).isOk(), err(1).isErr()]).toEqual([true, false, false, true]);
  });

  it('joins the error types of a chain', () => {
    const chained = half(8).flatMap((n): Result<string, Error> =>
      n > 3 ? ok('big') : err(new Error('small')),
    );
    expectTypeOf(chained).toEqualTypeOf<Result<string, string | Error>>();
    expect(chained).toEqual(ok('big'));
  });

  it('maps only its own side', () => {
    expect(half(4).map((n) => n + 1)).toEqual(ok(3));
    expect(half(3).map((n) => n + 1)).toEqual(err('3 is odd'));
    expect(half(4).mapErr((text) => text.length)).toEqual(ok(2));
    expect(half(3).mapErr((text) => text.length)).toEqual(err(8));
  });

  it('stops at the first failing step', () => {
    const seen: number[] = [];
    const result = half(6)
      .andThen(half)
      .andThen((n) => {
        seen.push(n);
        return half(n);
      });
    expect(result).toEqual(err('3 is odd'));
    expect(seen).toEqual([]);
  });

  it('recovers with orElse, which a value never reaches', () => {
    expect(half(3).orElse(() => half(2))).toEqual(ok(1));
    expect(half(3).orElse((text) => err(text.length))).toEqual(err(8));
    expect(half(4).orElse(() => err('not called'))).toEqual(ok(2));
  });

  it('unwraps the value or throws the error itself', () => {
    const error = new RangeError('out');
    expect(ok(1).unwrap()).toBe(1);
    expect(() => err(error).unwrap()).toThrow(error);
    expect(() => err('text').unwrap()).toThrow(InvariantError);
    expect(half(3).unwrapOr(-1)).toBe(-1);
    expect(half(4).unwrapOr(-1)).toBe(2);
  });

  it('shows each side to its inspector only and returns itself', () => {
    const seen: unknown[] = [];
    for (const result of [half(4), half(3)]) {
      const same = result.inspect((n) => seen.push(n)).inspectErr((text) => seen.push(text));
      expect(same).toBe(result);
    }
    expect(seen).toEqual([2, '3 is odd']);
  });

  it('matches exactly one case', () => {
    const cases = { ok: (n: number) => `value ${n}`, err: (text: string) => `error ${text}` };
    expect([half(4).match(cases), half(3).match(cases)]).toEqual(['value 2', 'error 3 is odd']);
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(ok(1)) && Object.isFrozen(err(1))).toBe(true);
  });

  it('obeys the monad laws', () => {
    fc.assert(
      fc.property(fc.integer(), anyResult, step, step, (n, result, f, g) => {
        expect(ok(n).flatMap(f)).toEqual(f(n));
        expect(result.flatMap((value) => ok(value))).toEqual(result);
        expect(result.flatMap(f).flatMap(g)).toEqual(result.flatMap((value) => f(value).flatMap(g)));
      }),
    );
  });
});

describe('many results', () => {
  it('collects all values or the first error, and looks no further', () => {
    expect(collect([half(2), half(4)])).toEqual(ok([1, 2]));
    let asked = 0;
    function* source(): Generator<Result<number, string>> {
      for (const n of [2, 3, 5]) {
        asked += 1;
        yield half(n);
      }
    }
    expect(collect(source())).toEqual(err('3 is odd'));
    expect(asked).toBe(2);
    expect(collect([])).toEqual(ok([]));
  });

  it('collects every error when asked to', () => {
    expect(collectAllErrors([half(3), half(2), half(5)])).toEqual(err(['3 is odd', '5 is odd']));
    expect(collectAllErrors([half(2)])).toEqual(ok([1]));
  });

  it('partitions without losing or reordering anything', () => {
    fc.assert(
      fc.property(fc.array(anyResult), (results) => {
        const { values, errors } = partition(results);
        expect(values).toEqual(results.flatMap((result) => (result.ok ? [result.value] : [])));
        expect(errors).toEqual(results.flatMap((result) => (result.ok ? [] : [result.error])));
      }),
    );
  });
});

describe('from code that throws', () => {
  it('catches errors as they are and wraps the rest', () => {
    const error = new TypeError('no');
    const fail = (thrown: unknown) => () => {
      throw thrown;
    };
    expect(tryResult(() => 1)).toEqual(ok(1));
    expect(tryResult(fail(error)).match({ ok: () => null, err: (caught) => caught })).toBe(error);
    expect(tryResult(fail('text')).match({ ok: () => null, err: (caught) => caught })).toMatchObject({
      message: 'text',
      cause: 'text',
    });
  });

  it('never rejects, whether the failure is thrown or rejected', async () => {
    expect(await tryResultAsync(() => Promise.resolve(1))).toEqual(ok(1));
    expect(await tryResultAsync(() => 1)).toEqual(ok(1));
    const rejected = await tryResultAsync(() => Promise.reject(new Error('late')));
    const thrown = await tryResultAsync((): Promise<number> => {
      throw new Error('at once');
    });
    expect([rejected, thrown].map((result) => (result.ok ? null : result.error.message))).toEqual([
      'late',
      'at once',
    ]);
  });

  it('takes null and undefined as missing, and nothing else', () => {
    expect(fromNullable(0, () => 'none')).toEqual(ok(0));
    expect(fromNullable('', () => 'none')).toEqual(ok(''));
    for (const missing of [null, undefined]) expect(fromNullable(missing, () => 'none')).toEqual(err('none'));
  });
});
