import { describe, expect, it } from 'vitest';
import { PriorityQueue } from './priority-queue.ts';

describe('a priority queue', () => {
  it('gives the most urgent first, and in order within one priority', () => {
    const queue = new PriorityQueue<string>();
    for (const [item, priority] of [
      ['n1', 'normal'],
      ['s1', 'slow'],
      ['n2', 'normal'],
      ['r1', 'realtime'],
      ['h1', 'high'],
      ['gone', 'realtime'],
      ['l1', 'low'],
    ] as const) {
      queue.push(item, priority);
    }
    queue.remove('gone');
    expect(queue.size).toBe(6);
    expect(Array.from({ length: 7 }, () => queue.shift())).toEqual([
      'r1',
      'h1',
      'n1',
      'n2',
      'l1',
      's1',
      undefined,
    ]);
  });
});
