import { describe, expect, it } from 'vitest';
import { endOfCall } from './attempt-end.ts';

describe('a call', () => {
  it('has its end at once where it answers at once', () => {
    expect(endOfCall(() => ({ n: 1 }))).toEqual({ type: 'returned', result: '{"n":1}' });
    expect(
      endOfCall(() => {
        throw new Error('no');
      }),
    ).toMatchObject({ type: 'threw', error: { message: 'no' } });
  });

  it('has an end though what it throws cannot be asked for its kind', async () => {
    const { proxy: thrown, revoke } = Proxy.revocable(new Error('no'), {});
    revoke();
    const result = {
      toJSON: () => {
        throw thrown;
      },
    };
    const threw = { type: 'threw', error: { retryable: true } };
    expect(
      endOfCall(() => {
        throw thrown;
      }),
    ).toMatchObject(threw);
    expect(await endOfCall(() => Promise.reject(thrown))).toMatchObject(threw);
    expect(endOfCall(() => result)).toMatchObject({ type: 'threw' });
    expect(await endOfCall(() => Promise.resolve(result))).toMatchObject({ type: 'threw' });
  });

  it('is waited for where it answers with a promise, or with what behaves like one', async () => {
    const query = { then: (resolve: (rows: number) => void) => resolve(3) };
    const callable = Object.assign(() => 4, { then: (resolve: (rows: number) => void) => resolve(4) });
    expect(await endOfCall(() => Promise.resolve(2))).toEqual({ type: 'returned', result: '2' });
    expect(await endOfCall(() => query)).toEqual({ type: 'returned', result: '3' });
    expect(await endOfCall(() => callable)).toEqual({ type: 'returned', result: '4' });
    expect(await endOfCall(() => Promise.reject(new Error('no')))).toMatchObject({
      type: 'threw',
      error: { message: 'no' },
    });
  });
});
