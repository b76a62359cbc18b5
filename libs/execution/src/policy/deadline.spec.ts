import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { TimeoutError } from '@spine/core';
import { remainingMs, withDeadline } from './deadline.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('withDeadline', () => {
  it('gives the value of what is done in time', async () => {
    await expect(withDeadline(60_000, () => 42)).resolves.toBe(42);
  });

  it('ends what takes too long with a retryable error, even when it ignores its signal', async () => {
    const error: unknown = await withDeadline(5, never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ retryable: true });
  });

  it('aborts the signal with that error', async () => {
    let aborted: Promise<unknown> = Promise.resolve();
    const failing = withDeadline(5, (signal) => {
      aborted = once(signal, 'abort').then(() => signal.reason as unknown);
      return never();
    });
    await expect(failing).rejects.toThrow(TimeoutError);
    expect(await aborted).toBeInstanceOf(TimeoutError);
  });

  it('lets a nested deadline be shorter, not longer', async () => {
    await withDeadline(60_000, async () => {
      await withDeadline(1_000, () => {
        expect(remainingMs()).toBeLessThanOrEqual(1_000);
      });
      await withDeadline(3_600_000, () => {
        expect(remainingMs()).toBeLessThanOrEqual(60_000);
      });
    });
    await expect(withDeadline(5, () => withDeadline(3_600_000, never))).rejects.toThrow(TimeoutError);
  });

  it('knows no deadline outside', async () => {
    expect(remainingMs()).toBeNull();
    await withDeadline(1_000, () => undefined);
    expect(remainingMs()).toBeNull();
  });

  it.each([0, -1, Number.NaN])('refuses %s ms', async (ms) => {
    await expect(withDeadline(ms, () => 1)).rejects.toThrow(/more than 0/);
  });
});
