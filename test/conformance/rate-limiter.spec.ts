/** One suite over every rate limiter: what a caller may rely on, whatever counts the permits. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, RateLimitError, ValidationError } from '@spine/core';
import { CompositeRateLimiter, KeyedRateLimiter } from '@spine/execution';
import type { RateLimiter, RateOptions } from '@spine/execution';
import { openBottleneck, openBottleneckRedis, openMemory, openPostgres } from './rate-limiters.ts';
import type { LimiterBackend } from './rate-limiters.ts';

/** `shared`: limiters of one key are one rate, as those of several processes. `windows`: sliding windows are known. */
const BACKENDS = [
  { name: 'memory', open: openMemory, shared: false, windows: true },
  { name: 'bottleneck', open: openBottleneck, shared: false, windows: false },
  { name: 'bottleneck on Redis', open: openBottleneckRedis, shared: true, windows: false },
  { name: 'postgres', open: openPostgres, shared: true, windows: true },
] as const;

/** So slow that nothing comes back during a test. */
const SLOW = { perSeconds: 86_400 };
/** So quick that a test waits for it, and so slow that it has to. */
const QUICK = { perSeconds: 0.5 };

/** Takes one by one until it is refused; answers how many it got. */
async function takeAll(limiter: RateLimiter, most = 50): Promise<number> {
  let taken = 0;
  while (taken < most && (await limiter.tryAcquire())) taken += 1;
  return taken;
}

describe.concurrent.each(BACKENDS)('$name', ({ open, shared, windows }) => {
  let backend: LimiterBackend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.close());

  it('gives as many permits as it has, and no more', async () => {
    const limiter = backend.make({ limit: 5, ...SLOW });
    expect(await takeAll(limiter)).toBe(5);
    expect(await limiter.tryAcquire()).toBe(false);
  });

  it('gives several at once, or none', async () => {
    const limiter = backend.make({ limit: 5, ...SLOW });
    expect(await limiter.tryAcquire(3)).toBe(true);
    expect(await limiter.tryAcquire(3)).toBe(false);
    expect(await limiter.tryAcquire(2)).toBe(true);
    expect(await limiter.tryAcquire()).toBe(false);
  });

  it('gives a burst of its own size', async () => {
    expect(await takeAll(backend.make({ limit: 1, burst: 4, ...SLOW }))).toBe(4);
  });

  it('never gives one permit to two that ask at once', async () => {
    const limiter = backend.make({ limit: 10, ...SLOW });
    const answers = await Promise.all(Array.from({ length: 30 }, () => limiter.tryAcquire()));
    const taken = answers.filter(Boolean).length;
    expect(taken).toBeLessThanOrEqual(10);
    // One of two that come together may be refused for nothing; what is there can be had afterwards.
    expect(taken + (await takeAll(limiter))).toBe(10);
  });

  it('has permits again with time: a waiter gets one', async () => {
    const limiter = backend.make({ limit: 2, ...QUICK });
    expect(await takeAll(limiter, 2)).toBe(2);
    await limiter.acquire();
    await Promise.all([limiter.acquire(), limiter.acquire(), limiter.acquire()]);
  });

  it('takes back what was not used', async () => {
    const limiter = backend.make({ limit: 3, ...SLOW });
    expect(await takeAll(limiter)).toBe(3);
    await limiter.giveBack(2);
    expect(await takeAll(limiter)).toBe(2);
  });

  it('says from when on a try is worth it', async () => {
    const limiter = backend.make({ limit: 2, ...QUICK });
    const before = Date.now();
    expect((await limiter.nextAt()).getTime()).toBeLessThanOrEqual(Date.now());
    await takeAll(limiter, 2);
    const next = (await limiter.nextAt()).getTime();
    // Not after all have come back, which is when the permits are there at the latest.
    expect(next - Date.now()).toBeLessThanOrEqual(QUICK.perSeconds * 1_000);
    expect(next).toBeGreaterThanOrEqual(before);
  });

  it('ends a wait when its time is up, and says when to come again', async () => {
    const limiter = backend.make({ limit: 1, ...SLOW });
    await limiter.acquire();
    const error: unknown = await limiter.acquire({ timeoutMs: 30 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ retryable: true });
    expect((error as RateLimitError).retryAfterSeconds).toBeGreaterThan(0);
  });

  it('ends a wait when its signal is aborted, with its reason, and takes nothing', async () => {
    const limiter = backend.make({ limit: 1, ...SLOW });
    await limiter.acquire();
    const controller = new AbortController();
    const waiting = limiter.acquire({ signal: controller.signal });
    const reason = new Error('no longer wanted');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await limiter.giveBack(1);
    expect(await limiter.tryAcquire()).toBe(true);
    await expect(limiter.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('refuses what it never has at once', async () => {
    const limiter = backend.make({ limit: 2, ...SLOW });
    await expect(limiter.tryAcquire(3)).rejects.toBeInstanceOf(ValidationError);
    await expect(limiter.tryAcquire(0)).rejects.toBeInstanceOf(ValidationError);
    expect(await takeAll(limiter)).toBe(2);
  });

  it.each<[string, RateOptions]>([
    ['no permits', { limit: 0, perSeconds: 1 }],
    ['half a permit', { limit: 0.5, perSeconds: 1 }],
    ['no time', { limit: 1, perSeconds: 0 }],
    ['no number', { limit: 1, perSeconds: Number.NaN }],
    ['too long a time', { limit: 1, perSeconds: 40 * 86_400 }],
  ])('is not made of %s', (_what, options) => {
    expect(() => backend.make(options)).toThrow(expect.objectContaining({ name: 'ConfigError' }));
  });

  if (shared) {
    it('of several processes is one rate', async () => {
      const key = newId();
      const [one, other] = [
        backend.make({ limit: 10, ...SLOW }, key),
        backend.make({ limit: 10, ...SLOW }, key),
      ];
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_each, index) => (index % 2 === 0 ? one : other).tryAcquire()),
      );
      const taken = answers.filter(Boolean).length;
      expect(taken).toBeLessThanOrEqual(10);
      expect(taken + (await takeAll(other)) + (await takeAll(one))).toBe(10);
    });
  }

  if (windows) {
    it('as a sliding window gives no more than its limit in any time', async () => {
      const limiter = backend.make({ limit: 3, algorithm: 'sliding_window', ...SLOW });
      expect(await takeAll(limiter)).toBe(3);
      const quick = backend.make({ limit: 3, algorithm: 'sliding_window', ...QUICK });
      expect(await takeAll(quick, 3)).toBe(3);
      await quick.acquire();
      await limiter.giveBack(1);
      expect(await takeAll(limiter)).toBe(1);
    });
  }

  describe('one a key', () => {
    it('counts keys apart, and forgets those not asked for longest', async () => {
      const forgotten: RateLimiter[] = [];
      const keyed = new KeyedRateLimiter({
        create: () => backend.make({ limit: 1, ...SLOW }),
        maxKeys: 2,
        onForget: (limiter) => forgotten.push(limiter),
      });
      expect(await keyed.tryAcquire('a')).toBe(true);
      expect(await keyed.tryAcquire('a')).toBe(false);
      expect(await keyed.tryAcquire('b')).toBe(true);
      const a = keyed.for('a');
      const b = keyed.for('b');
      expect(keyed.for('a')).toBe(a);
      keyed.for('c');
      expect(forgotten).toEqual([b]);
      expect((await keyed.nextAt('a')).getTime()).toBeGreaterThan(Date.now() - 1_000);
      await keyed.acquire('d');
    });
  });

  describe('several at once', () => {
    it('take from all or from none', async () => {
      const [wide, narrow] = [backend.make({ limit: 5, ...SLOW }), backend.make({ limit: 2, ...SLOW })];
      const both = new CompositeRateLimiter([wide, narrow]);
      expect(await takeAll(both)).toBe(2);
      // What the wide one gave when the narrow one refused is there again.
      expect(await takeAll(wide)).toBe(3);
      expect((await both.nextAt()).getTime()).toBeGreaterThanOrEqual(
        (await narrow.nextAt()).getTime() - 1_000,
      );
      await both.giveBack(1);
      expect(await both.tryAcquire()).toBe(true);
    });

    it('keep nothing of a take that one of them fails', async () => {
      const wide = backend.make({ limit: 5, ...SLOW });
      const small = backend.make({ limit: 1, ...SLOW });
      await expect(new CompositeRateLimiter([wide, small]).tryAcquire(2)).rejects.toBeInstanceOf(
        ValidationError,
      );
      expect(await takeAll(wide)).toBe(5);
    });

    it('wait until all have something', async () => {
      const slow = backend.make({ limit: 1, ...QUICK });
      const both = new CompositeRateLimiter([backend.make({ limit: 5, ...SLOW }), slow]);
      await both.acquire();
      await both.acquire();
      await expect(
        both.acquire({ permits: 1, timeoutMs: 0, signal: AbortSignal.abort(new Error('x')) }),
      ).rejects.toThrow('x');
    });
  });
});
