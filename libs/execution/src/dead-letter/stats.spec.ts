import { describe, expect, it } from 'vitest';
import type { DeadLetterGroup } from '@spine/database';
import { deadLetterStats } from './stats.ts';

const at = (day: number): Date => new Date(Date.UTC(2026, 0, day));
const group = (name: string, errorCategory: string, more: Partial<DeadLetterGroup>): DeadLetterGroup => ({
  kind: 'task',
  name,
  errorCategory,
  pending: 0,
  resolved: 0,
  replayed: 0,
  oldestPendingAt: null,
  ...more,
});

describe('dead letter statistics', () => {
  it('add up to nothing for nothing', () => {
    expect(deadLetterStats(30, [])).toEqual({
      closedDays: 30,
      pending: 0,
      resolved: 0,
      replayed: 0,
      oldestPendingAt: null,
      byHandler: [],
      byCategory: [],
      groups: [],
    });
  });

  it('add up by handler and by category, most pending first, and keep the oldest', () => {
    const groups = [
      group('a', 'SOURCE', { pending: 2, oldestPendingAt: at(3) }),
      group('b', 'SOURCE', { pending: 3, resolved: 1, oldestPendingAt: at(2) }),
      group('a', 'PARSE', { replayed: 4 }),
    ];
    const stats = deadLetterStats(7, groups);
    expect(stats).toMatchObject({ pending: 5, resolved: 1, replayed: 4, oldestPendingAt: at(2), groups });
    expect(stats.byHandler).toEqual([
      { handler: 'task:b', pending: 3, resolved: 1, replayed: 0, oldestPendingAt: at(2) },
      { handler: 'task:a', pending: 2, resolved: 0, replayed: 4, oldestPendingAt: at(3) },
    ]);
    expect(stats.byCategory).toEqual([
      { errorCategory: 'SOURCE', pending: 5, resolved: 1, replayed: 0, oldestPendingAt: at(2) },
      { errorCategory: 'PARSE', pending: 0, resolved: 0, replayed: 4, oldestPendingAt: null },
    ]);
  });
});
