import { describe, expect, it } from 'vitest';
import { Recent } from './recent.ts';

describe('a recent answer', () => {
  it('is asked for once by callers at once, and kept while it is recent', async () => {
    let asked = 0;
    const recent = new Recent(() => Promise.resolve((asked += 1)), { maxAgeMs: 3_600_000 });
    expect(await Promise.all([recent.get(), recent.get(), recent.get()])).toEqual([1, 1, 1]);
    expect(await recent.get()).toBe(1);
    expect(asked).toBe(1);
  });

  it('is asked for again when it is too old', async () => {
    let asked = 0;
    const recent = new Recent(() => Promise.resolve((asked += 1)), { maxAgeMs: -1 });
    expect(await recent.get()).toBe(1);
    expect(await recent.get()).toBe(2);
  });

  it('is not kept when asking failed, and every caller hears of it', async () => {
    let fails = true;
    const recent = new Recent(
      () => (fails ? Promise.reject(new Error('no answer')) : Promise.resolve('well')),
      { maxAgeMs: 3_600_000 },
    );
    const both = await Promise.allSettled([recent.get(), recent.get()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await recent.get()).toBe('well');
  });

  it('is asked for anew by each caller while it costs little', async () => {
    let asked = 0;
    const recent = new Recent(() => Promise.resolve((asked += 1)), {
      maxAgeMs: 3_600_000,
      isCostly: (answer) => answer > 4,
    });
    expect(await Promise.all([recent.get(), recent.get()])).toEqual([1, 2]);
    expect([await recent.get(), await recent.get()]).toEqual([3, 4]);
    expect([await recent.get(), await recent.get(), await recent.get()]).toEqual([5, 5, 5]);
  });
});
