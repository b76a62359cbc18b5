import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';

const draw = (random: Random): number[] => Array.from({ length: 50 }, () => random.int(0, 1_000_000));

describe('Random', () => {
  it('repeats itself for a seed and a purpose', () => {
    expect(draw(Random.for(7, 'worker-kill', 3))).toEqual(draw(Random.for(7, 'worker-kill', 3)));
  });

  it('differs by seed, by name and by number', () => {
    const first = draw(Random.for(7, 'worker-kill', 3));
    expect(draw(Random.for(8, 'worker-kill', 3))).not.toEqual(first);
    expect(draw(Random.for(7, 'redis-flush', 3))).not.toEqual(first);
    expect(draw(Random.for(7, 'worker-kill', 4))).not.toEqual(first);
  });

  it('draws whole numbers between its bounds, both among them', () => {
    const random = new Random(1);
    expect(new Set(Array.from({ length: 500 }, () => random.int(-1, 2)))).toEqual(new Set([-1, 0, 1, 2]));
  });

  it('picks every item sooner or later, and refuses to pick from nothing', () => {
    const random = new Random(1);
    expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', undefined, 'c'])))).toEqual(
      new Set(['a', undefined, 'c']),
    );
    expect(() => random.pick([])).toThrow(RangeError);
  });

  it('gives chances their share', () => {
    const random = new Random(1);
    const hits = Array.from({ length: 10_000 }, () => random.chance(0.25)).filter(Boolean).length;
    expect(hits).toBeGreaterThan(2_200);
    expect(hits).toBeLessThan(2_800);
  });
});
