import { describe, expect, it } from 'vitest';
import { toHints } from '../queue/chunk.ts';
import { spreadMs } from './spread.ts';

describe('the spread of runs that have lost workers', () => {
  it('is none for a run that has lost none', () => {
    expect(spreadMs(0, 0.999)).toBe(0);
  });

  it('grows with every loss', () => {
    expect([1, 2].map((losses) => spreadMs(losses, 0.5))).toEqual([2_000, 4_000]);
    expect(spreadMs(1, 0)).toBe(0);
  });

  it('keeps runs that were lost together out of one hint', () => {
    const runs = [0.1, 0.4, 0.6, 0.9].map((random, index) => ({
      runId: `00000000-0000-7000-8000-00000000000${index}`,
      kind: 'task' as const,
      name: 'echo',
      lane: 'default',
      priority: 'normal' as const,
      delayMs: spreadMs(1, random),
    }));
    const hints = toHints(runs, () => ({ workers: 1, slots: 100 }));
    expect(hints.map((hint) => hint.runIds.length)).toEqual([1, 1, 1, 1]);
    expect(
      toHints(
        runs.map((run) => ({ ...run, delayMs: 0 })),
        () => ({ workers: 1, slots: 100 }),
      ),
    ).toHaveLength(1);
  });
});
