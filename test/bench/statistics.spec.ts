import { describe, expect, it } from 'vitest';
import { latencyOf, median, percentile, range } from './statistics.ts';

describe('median', () => {
  it('is the middle value, whatever the order', () => {
    expect(median([5, 1, 3])).toBe(3);
  });

  it('of an even number of values is the mean of the middle two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('of nothing is not a number', () => {
    expect(median([])).toBeNaN();
  });
});

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  it('is a value that was measured', () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
  });

  it('of few values is the largest of them', () => {
    expect(percentile([3, 1], 0.99)).toBe(3);
    expect(percentile([7], 0.01)).toBe(7);
  });
});

it('latencies are the median and the 99th percentile', () => {
  expect(latencyOf([1, 2, 3, 100])).toEqual({ p50: 2, p99: 100 });
});

it('the range is smallest and largest', () => {
  expect(range([2, 9, 4])).toEqual([2, 9]);
});
