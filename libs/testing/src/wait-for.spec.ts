import { describe, expect, it } from 'vitest';
import { WaitTimeoutError } from './errors.ts';
import { waitFor } from './wait-for.ts';

describe('waitFor', () => {
  it('returns the first truthy value', async () => {
    const values = [0, null, undefined, '', 'found', 'later'];
    await expect(waitFor(() => values.shift(), { intervalMs: 1 })).resolves.toBe('found');
    expect(values).toEqual(['later']);
  });

  it('awaits an asynchronous condition', async () => {
    let looks = 0;
    const condition = (): Promise<boolean> => Promise.resolve(++looks === 3);
    await expect(waitFor(condition, { intervalMs: 1 })).resolves.toBe(true);
  });

  it('looks once even when no time is given', async () => {
    await expect(waitFor(() => 'there', { timeoutMs: 0 })).resolves.toBe('there');
  });

  it('says what it waited for and the state it ended in', async () => {
    let looks = 0;
    const waiting = waitFor(() => ++looks > 1e9, {
      timeoutMs: 5,
      intervalMs: 1,
      message: () => `a billion looks, had ${looks > 0 ? 'some' : 'none'}`,
    });
    await expect(waiting).rejects.toThrow(WaitTimeoutError);
    await expect(waiting).rejects.toThrow('waited 5 ms for: a billion looks, had some');
  });

  it('passes on what the condition throws', async () => {
    const broken = (): boolean => {
      throw new TypeError('broken condition');
    };
    await expect(waitFor(broken)).rejects.toThrow(new TypeError('broken condition'));
  });
});
