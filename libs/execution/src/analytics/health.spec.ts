import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  GRADE_FROM,
  HEALTH_GRADES,
  HEALTH_WEIGHTS,
  NO_REAPER_LIMIT,
  NO_WORKER_LIMIT,
  scoreHealth,
} from './health.ts';
import type { HealthFacts } from './health.ts';

const WELL: HealthFacts = {
  ended: 1_000,
  failed: 0,
  attempts: 1_000,
  crashes: 0,
  pendingDeadLetters: 0,
  staleWaiting: 0,
  staleRunning: 0,
  due: 10,
  dueUnserved: 0,
  oldestDueSeconds: 1,
  liveWorkers: 2,
};
const score = (facts: Partial<HealthFacts>) => scoreHealth({ ...WELL, ...facts });

describe('a health score', () => {
  it('is 100 without a reason when all is well, also when nothing has happened yet', () => {
    expect(scoreHealth(WELL)).toEqual({ score: 100, grade: 'healthy', reasons: [] });
    const idle = { ended: 0, attempts: 0, due: 0, oldestDueSeconds: 0 };
    expect(score(idle)).toEqual({ score: 100, grade: 'healthy', reasons: [] });
  });

  it('has weights that add up to 100', () => {
    expect(Object.values(HEALTH_WEIGHTS).reduce((a, b) => a + b)).toBe(100);
  });

  it.each([
    // Free below, all points gone above, half in the middle.
    ['failure_rate', { failed: 10 }, { failed: 200 }, { failed: 105 }],
    ['crash_rate', { crashes: 5 }, { crashes: 100 }, { crashes: 52 }],
    ['queue_age', { oldestDueSeconds: 60 }, { oldestDueSeconds: 900 }, { oldestDueSeconds: 480 }],
    ['dead_letters', {}, { pendingDeadLetters: 100 }, { pendingDeadLetters: 50 }],
    ['stale_runs', {}, { staleWaiting: 100 }, { staleWaiting: 50 }],
  ] as const)('takes points for %s: none, all, half', (check, none, all, half) => {
    const weight = HEALTH_WEIGHTS[check];
    expect(score(none).reasons).toEqual([]);
    expect(score(all).reasons).toMatchObject([{ check, penalty: weight }]);
    expect(score(all).score).toBe(100 - weight);
    const [reason] = score(half).reasons;
    expect(reason?.check).toBe(check);
    expect(reason?.penalty).toBeCloseTo(weight / 2, 0);
  });

  it('counts a rate over few things for less', () => {
    expect(score({ ended: 1, failed: 1 }).reasons).toMatchObject([{ penalty: 2.5 }]);
    expect(score({ ended: 10, failed: 10 }).reasons).toMatchObject([{ penalty: 25 }]);
  });

  it('is critical while work is due and no worker lives, whatever the rest', () => {
    expect(score({ liveWorkers: 0 })).toMatchObject({ score: NO_WORKER_LIMIT, grade: 'critical' });
    expect(score({ liveWorkers: 0, due: 0 })).toMatchObject({ score: 90, grade: 'healthy' });
  });

  it('is limited while runs of silent workers are not taken back', () => {
    const { score: points, grade, reasons } = score({ staleRunning: 1 });
    expect({ points, grade }).toEqual({ points: NO_REAPER_LIMIT, grade: 'unhealthy' });
    expect(reasons).toMatchObject([{ check: 'stale_runs', penalty: 15 }]);
    expect(reasons[0]?.message).toContain('is a scheduler running?');
  });

  it('says that a lane has no worker', () => {
    const { reasons } = score({ dueUnserved: 1 });
    expect(reasons).toMatchObject([{ check: 'workers', penalty: 10.2 }]);
    expect(score({ due: 500, dueUnserved: 500 }).reasons).toMatchObject([{ penalty: 25 }]);
  });

  it('speaks of one as of one', () => {
    expect(score({ pendingDeadLetters: 1 }).reasons[0]?.message).toBe('1 dead letter is pending');
    expect(score({ pendingDeadLetters: 2 }).reasons[0]?.message).toBe('2 dead letters are pending');
  });

  it('names reasons by what they cost', () => {
    const { reasons } = score({ failed: 200, pendingDeadLetters: 100, crashes: 50 });
    expect(reasons.map(({ check }) => check)).toEqual(['failure_rate', 'dead_letters', 'crash_rate']);
    expect(reasons[0]?.message).toBe(
      '200 of 1000 runs (20.0 %) that ended in the last hour did not complete',
    );
  });
});

const count = fc.nat({ max: 5_000 });
const facts: fc.Arbitrary<HealthFacts> = fc
  .record({
    ended: count,
    failed: count,
    attempts: count,
    crashes: count,
    pendingDeadLetters: count,
    staleWaiting: count,
    staleRunning: count,
    due: count,
    dueUnserved: count,
    oldestDueSeconds: fc.double({ min: 0, max: 1e7, noNaN: true }),
    liveWorkers: fc.nat({ max: 5 }),
  })
  .map((raw) => ({
    ...raw,
    failed: Math.min(raw.failed, raw.ended),
    crashes: Math.min(raw.crashes, raw.attempts),
    dueUnserved: Math.min(raw.dueUnserved, raw.due),
  }));

describe('any health score', () => {
  it('is a whole number from 0 to 100 with the grade it belongs to', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const { score: points, grade, reasons } = scoreHealth(given);
        expect(Number.isInteger(points) && points >= 0 && points <= 100).toBe(true);
        expect(points).toBeGreaterThanOrEqual(GRADE_FROM[grade]);
        const better = HEALTH_GRADES[HEALTH_GRADES.indexOf(grade) - 1];
        expect(points).toBeLessThan(better === undefined ? 101 : GRADE_FROM[better]);
        for (const { penalty, check } of reasons) {
          expect(penalty).toBeGreaterThan(0);
          expect(penalty).toBeLessThanOrEqual(HEALTH_WEIGHTS[check]);
        }
      }),
    );
  });

  it('never rises when one fact gets worse', () => {
    const worse = fc.constantFrom<(given: HealthFacts) => HealthFacts>(
      (given) => ({ ...given, failed: Math.min(given.ended, given.failed + 7) }),
      (given) => ({ ...given, crashes: Math.min(given.attempts, given.crashes + 7) }),
      (given) => ({ ...given, pendingDeadLetters: given.pendingDeadLetters + 7 }),
      (given) => ({ ...given, staleWaiting: given.staleWaiting + 7 }),
      (given) => ({ ...given, staleRunning: given.staleRunning + 1 }),
      (given) => ({ ...given, due: given.due + 7 }),
      (given) => ({ ...given, due: given.due + 7, dueUnserved: given.dueUnserved + 7 }),
      (given) => ({ ...given, oldestDueSeconds: given.oldestDueSeconds + 30 }),
      (given) => ({ ...given, liveWorkers: 0 }),
    );
    fc.assert(
      fc.property(facts, worse, (given, change) => {
        expect(scoreHealth(change(given)).score).toBeLessThanOrEqual(scoreHealth(given).score);
      }),
      { numRuns: 2_000 },
    );
  });
});
