import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRate, encodeRate, rateSpecFromJson, rateSpecToJson } from './rate-json.ts';
import {
  freePermits,
  giveBackRate,
  isRateSpec,
  rateAvailableAt,
  rateCapacity,
  rateIdleAt,
  takeRate,
} from './rate.ts';
import type { RateSpec, RateState } from './rate.ts';

const anyBucket: fc.Arbitrary<RateSpec> = fc.record({
  algorithm: fc.constant('token_bucket' as const),
  limit: fc.integer({ min: 1, max: 50 }),
  perMs: fc.integer({ min: 1, max: 5_000 }),
  burst: fc.integer({ min: 1, max: 60 }),
});
const anyWindow: fc.Arbitrary<RateSpec> = fc.record({
  algorithm: fc.constant('sliding_window' as const),
  limit: fc.integer({ min: 1, max: 400 }),
  perMs: fc.integer({ min: 1, max: 5_000 }),
});
const anySpec = fc.oneof(anyBucket, anyWindow);

/** Pauses and takes, from one moment on. */
const anySteps = fc.array(
  fc.record({ pauseMs: fc.integer({ min: 0, max: 800 }), permits: fc.integer({ min: 1, max: 5 }) }),
  { minLength: 1, maxLength: 150 },
);

interface Taken {
  readonly at: number;
  readonly permits: number;
}

function play(
  spec: RateSpec,
  steps: readonly { pauseMs: number; permits: number }[],
  from = 1_000_000,
): Taken[] {
  const taken: Taken[] = [];
  let state: RateState | null = null;
  let now = from;
  for (const { pauseMs, permits } of steps) {
    now += pauseMs;
    const wanted = Math.min(permits, rateCapacity(spec));
    const take = takeRate(spec, state, wanted, now);
    if (take.type === 'refused') continue;
    state = take.state;
    taken.push({ at: now, permits: wanted });
  }
  return taken;
}

const sum = (taken: readonly Taken[]): number => taken.reduce((total, { permits }) => total + permits, 0);

describe('a token bucket', () => {
  it('never gives more in any time than it held and got back', () => {
    fc.assert(
      fc.property(anyBucket, anySteps, (spec, steps) => {
        const taken = play(spec, steps);
        for (const [first, { at: from }] of taken.entries()) {
          for (let last = first; last < taken.length; last += 1) {
            const passed = (taken[last]?.at ?? from) - from;
            const most = rateCapacity(spec) + Math.floor((passed * spec.limit) / spec.perMs);
            expect(sum(taken.slice(first, last + 1))).toBeLessThanOrEqual(most);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('loses nothing of what comes back, however often it is asked', () => {
    // A third of a permit comes back in a second; asked every millisecond, and every 7.
    const spec: RateSpec = { algorithm: 'token_bucket', limit: 1, perMs: 3_000, burst: 1 };
    for (const every of [1, 7]) {
      const steps = Array.from({ length: Math.ceil(30_000 / every) }, () => ({ pauseMs: every, permits: 1 }));
      expect(play(spec, steps).length).toBeGreaterThanOrEqual(10);
    }
  });

  it('is full again after a pause, however long', () => {
    const spec: RateSpec = {
      algorithm: 'token_bucket',
      limit: 1_000_000,
      perMs: 31 * 86_400_000,
      burst: 1_000_000,
    };
    const take = takeRate(spec, null, 1_000_000, 0);
    if (take.type !== 'taken') throw new Error('refused');
    expect(freePermits(spec, take.state, 0)).toBe(0);
    expect(freePermits(spec, take.state, spec.perMs - 1)).toBe(999_999);
    expect(freePermits(spec, take.state, spec.perMs)).toBe(1_000_000);
    expect(freePermits(spec, take.state, Number.MAX_SAFE_INTEGER)).toBe(1_000_000);
  });

  it('keeps what is owed when its rate changes', () => {
    const before: RateSpec = { algorithm: 'token_bucket', limit: 10, perMs: 1_000, burst: 10 };
    const after: RateSpec = { algorithm: 'token_bucket', limit: 10, perMs: 60_000, burst: 10 };
    const take = takeRate(before, null, 8, 0);
    if (take.type !== 'taken') throw new Error('refused');
    expect(freePermits(after, take.state, 0)).toBe(2);
    // Half of what the bucket is now is gone: no more is owed than it holds.
    expect(freePermits({ ...before, burst: 4 }, take.state, 0)).toBe(0);
  });
});

describe('a sliding window', () => {
  it('never lets more than its limit into any stretch of its length', () => {
    fc.assert(
      fc.property(anyWindow, anySteps, (spec, steps) => {
        const taken = play(spec, steps);
        for (const { at } of taken) {
          const inside = taken.filter((other) => other.at > at - spec.perMs && other.at <= at);
          expect(sum(inside)).toBeLessThanOrEqual(spec.limit);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps a bounded number of moments, whatever its limit', () => {
    const spec: RateSpec = { algorithm: 'sliding_window', limit: 1_000_000, perMs: 60_000 };
    let state: RateState | null = null;
    for (let now = 0; now < 60_000; now += 7) {
      const take = takeRate(spec, state, 100, now);
      if (take.type === 'taken') state = take.state;
    }
    expect(encodeRate(spec, state).length).toBeLessThan(5_000);
    expect(freePermits(spec, state, 59_999)).toBe(1_000_000 - Math.ceil(60_000 / 7) * 100);
  });
});

describe('any rate', () => {
  it('says exactly when a take will succeed', () => {
    fc.assert(
      fc.property(anySpec, anySteps, fc.integer({ min: 1, max: 5 }), (spec, steps, asked) => {
        let state: RateState | null = null;
        let now = 1_000_000;
        for (const { pauseMs } of steps) {
          now += pauseMs;
          const take = takeRate(spec, state, 1, now);
          if (take.type === 'taken') state = take.state;
        }
        const permits = Math.min(asked, rateCapacity(spec));
        const at = rateAvailableAt(spec, state, permits, now);
        expect(takeRate(spec, state, permits, at).type).toBe('taken');
        if (at > now) expect(takeRate(spec, state, permits, at - 1).type).toBe('refused');
        expect(freePermits(spec, state, now) >= permits).toBe(at === now);
      }),
      { numRuns: 500 },
    );
  });

  it('has again what is given back', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (spec, steps) => {
        let state: RateState | null = null;
        let now = 1_000_000;
        for (const { pauseMs } of steps) {
          now += pauseMs;
          const free = freePermits(spec, state, now);
          if (free === 0) continue;
          const take = takeRate(spec, state, free, now);
          if (take.type !== 'taken') throw new Error('refused');
          expect(freePermits(spec, take.state, now)).toBe(0);
          expect(freePermits(spec, giveBackRate(spec, take.state, free, now), now)).toBe(free);
          state = steps.length % 2 === 0 ? take.state : giveBackRate(spec, take.state, free, now);
        }
      }),
    );
  });

  it('takes a clock that goes back for one that stands still', () => {
    fc.assert(
      fc.property(anySpec, fc.integer({ min: 1, max: 10_000 }), (spec, back) => {
        const all = takeRate(spec, null, rateCapacity(spec), 1_000_000);
        if (all.type !== 'taken') throw new Error('refused');
        expect(takeRate(spec, all.state, 1, 1_000_000 - back).type).toBe('refused');
      }),
    );
  });

  it('is idle when nothing of it is used up', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (spec, steps) => {
        let state: RateState | null = null;
        let now = 1_000_000;
        for (const { pauseMs } of steps) {
          now += pauseMs;
          const take = takeRate(spec, state, 1, now);
          if (take.type === 'taken') state = take.state;
        }
        expect(freePermits(spec, state, rateIdleAt(spec, state, now))).toBe(rateCapacity(spec));
      }),
    );
  });

  it('comes out of its JSON as it went in', () => {
    fc.assert(
      fc.property(anySpec, anySteps, (spec, steps) => {
        let state: RateState | null = null;
        let now = 1_000_000;
        for (const { pauseMs } of steps) {
          now += pauseMs;
          const take = takeRate(spec, state, 1, now);
          if (take.type === 'taken') state = take.state;
        }
        expect(decodeRate(JSON.parse(encodeRate(spec, state)))).toEqual({ spec, state });
        expect(rateSpecFromJson(rateSpecToJson(spec))).toEqual(spec);
      }),
    );
  });

  it.each([
    ['text', 'x'],
    ['null', null],
    ['no numbers', { algorithm: 'token_bucket', limit: '1', perMs: 1, burst: 1 }],
    ['no limit', { algorithm: 'token_bucket', limit: 0, perMs: 1, burst: 1 }],
    ['a fraction', { algorithm: 'sliding_window', limit: 1.5, perMs: 1 }],
    ['no burst', { algorithm: 'token_bucket', limit: 1, perMs: 1 }],
    ['too long a time', { algorithm: 'sliding_window', limit: 1, perMs: 32 * 86_400_000 }],
    ['another algorithm', { algorithm: 'leaky', limit: 1, perMs: 1 }],
  ])('is not %s', (_, value) => {
    expect(isRateSpec(value)).toBe(false);
  });

  it('refuses permits it never has at once', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        expect(() => takeRate(spec, null, rateCapacity(spec) + 1, 0)).toThrow(/whole numbers from 1 to/);
        expect(() => takeRate(spec, null, 0, 0)).toThrow(/whole numbers from 1 to/);
        expect(() => takeRate(spec, null, 0.5, 0)).toThrow(/whole numbers from 1 to/);
      }),
    );
  });
});
