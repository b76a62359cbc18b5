import { describe, expect, it } from 'vitest';
import { workSpecJson } from '@spine/execution';
import { Random } from '../random.ts';
import { planSpecial, planWork } from './plan.ts';
import type { WorkWindow } from './plan.ts';

const WINDOW: WorkWindow = {
  prefix: 'redis-flush/2',
  correlationId: 'redis-flush',
  runs: 500,
  lengthMs: 8_000,
  now: new Date('2026-11-21T12:00:00Z'),
};

describe('a plan of work', () => {
  const plan = planWork(new Random(5), WINDOW);
  const runs = plan.flatMap((submission) => submission.runs);

  it('is the same for the same seed', () => {
    expect(planWork(new Random(5), WINDOW)).toEqual(plan);
    expect(planWork(new Random(6), WINDOW)).not.toEqual(plan);
  });

  it('holds as many runs as asked for, each under a key of its own', () => {
    expect(runs).toHaveLength(500);
    expect(new Set(runs.map((run) => run.key)).size).toBe(500);
    expect(runs.every((run) => run.spec.idempotency_key === run.key)).toBe(true);
  });

  it('is spread over the window, in singles and batches, some sent twice, some cancelled', () => {
    expect(plan.every(({ atMs }) => atMs >= 0 && atMs <= WINDOW.lengthMs)).toBe(true);
    expect(new Set(plan.map(({ atMs }) => atMs)).size).toBeGreaterThan(plan.length / 2);
    expect(plan.some((submission) => submission.runs.length === 1)).toBe(true);
    expect(plan.some((submission) => submission.runs.length > 1)).toBe(true);
    expect(plan.some((submission) => submission.twice)).toBe(true);
    expect(runs.some((run) => run.cancelAfterMs !== null)).toBe(true);
  });

  it('says that a run may end cancelled only where it is cancelled', () => {
    for (const run of runs) {
      expect(run.expected).toEqual(run.cancelAfterMs === null ? ['completed'] : ['completed', 'cancelled']);
    }
  });

  it('is made of specs the API takes', () => {
    for (const { spec } of runs) expect(workSpecJson.safeParse(spec).error).toBeUndefined();
  });
});

describe('special runs', () => {
  it('go alone, at their time, with their own options over the patient ones', () => {
    const [first, second] = planSpecial(
      [
        { name: 'chaos.exit', params: {}, expected: ['dead_lettered'], atMs: 300 },
        { name: 'chaos.stubborn', params: {}, expected: ['timed_out'], options: { max_retries: 1 } },
      ],
      WINDOW,
    );
    expect(first).toMatchObject({
      atMs: 300,
      runs: [{ key: 'redis-flush/2/special-0', spec: { name: 'chaos.exit', max_retries: 50 } }],
    });
    expect(second).toMatchObject({ atMs: 0, runs: [{ spec: { name: 'chaos.stubborn', max_retries: 1 } }] });
  });
});
