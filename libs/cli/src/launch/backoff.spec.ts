import { describe, expect, it } from 'vitest';
import { nextBackoff } from './backoff.ts';

describe('nextBackoff', () => {
  it('doubles from 1 s to 30 s', () => {
    const waits: number[] = [];
    let wait: number | undefined;
    for (let i = 0; i < 7; i++) {
      wait = nextBackoff(wait, 10);
      waits.push(wait);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('is none for one that did its work and wants to be replaced, and counts for nothing afterwards', () => {
    expect(nextBackoff(16_000, 10_000, true)).toBe(0);
    expect(nextBackoff(0, 100)).toBe(1_000);
  });

  it('is that of a crash for one that wants to be replaced as soon as it runs', () => {
    expect(nextBackoff(undefined, 9_999, true)).toBe(1_000);
    expect(nextBackoff(4_000, 9_999, true)).toBe(8_000);
  });

  it('begins anew after a minute of work', () => {
    expect(nextBackoff(16_000, 59_999)).toBe(30_000);
    expect(nextBackoff(16_000, 60_000)).toBe(1_000);
  });
});
