import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_CATCH_UP, MAX_OCCURRENCES, MISFIRE_POLICIES, OVERLAP_POLICIES, planTick } from './plan-tick.ts';
import type { Decision, TickFacts, TickPolicy } from './plan-tick.ts';

const START = Date.UTC(2026, 0, 5);
const at = (second: number): Date => new Date(START + second * 1_000);

const POLICY: TickPolicy = {
  misfire: 'skip',
  graceSeconds: 60,
  catchUpLimit: 3,
  catchUpSpacingSeconds: 10,
  overlap: 'allow',
  maxInstances: 1,
};

/** A schedule that fires every `every` seconds, looked at `now` seconds after the first occurrence that is open. */
function facts(every: number, now: number, policy: Partial<TickPolicy> = {}, activeRuns = 0): TickFacts {
  return {
    policy: { ...POLICY, ...policy },
    nextFireAt: at(0),
    activeRuns,
    now: at(now),
    next: (after) => new Date(after.getTime() + every * 1_000),
  };
}

const brief = (decisions: readonly Decision[]): string[] =>
  decisions.map((each) => {
    const second = (each.fireAt.getTime() - START) / 1_000;
    switch (each.type) {
      case 'fire':
        return `fire ${second}${each.late ? ` late +${each.delayMs / 1_000}` : ''}`;
      case 'skip':
        return `skip ${second} ${each.reason}`;
      case 'missed':
        return `missed ${second}..${(each.throughAt.getTime() - START) / 1_000} x${each.occurrences}`;
    }
  });

describe('a tick', () => {
  it('fires what is due and names the next time', () => {
    const plan = planTick(facts(300, 5));
    expect(brief(plan.decisions)).toEqual(['fire 0']);
    expect(plan).toMatchObject({ nextFireAt: at(300), more: false, cancelOldest: 0 });
  });

  it('fires several that came within the grace', () => {
    expect(brief(planTick(facts(20, 45)).decisions)).toEqual(['fire 0', 'fire 20', 'fire 40']);
  });

  it('decides nothing that is not due', () => {
    expect(planTick({ ...facts(300, 5), nextFireAt: at(6) })).toEqual({
      decisions: [],
      nextFireAt: at(6),
      cancelOldest: 0,
      more: false,
    });
  });

  it('has no next time when the schedule is over', () => {
    expect(planTick({ ...facts(300, 5), next: () => null }).nextFireAt).toBeNull();
  });
});

describe('late occurrences', () => {
  it('are missed, with one row for the stretch, and the one in time fires', () => {
    expect(brief(planTick(facts(100, 430)).decisions)).toEqual(['missed 0..300 x4', 'fire 400']);
  });

  it('at exactly the grace is in time', () => {
    expect(brief(planTick(facts(1_000, 60)).decisions)).toEqual(['fire 0']);
    expect(brief(planTick(facts(1_000, 61)).decisions)).toEqual(['missed 0..0 x1']);
  });

  it('fire once: the newest', () => {
    expect(brief(planTick(facts(100, 480, { misfire: 'fire_once' })).decisions)).toEqual([
      'missed 0..300 x4',
      'fire 400 late +0',
    ]);
  });

  it('are caught up, the newest of them, oldest first and one after another', () => {
    expect(brief(planTick(facts(100, 580, { misfire: 'catch_up' })).decisions)).toEqual([
      'missed 0..200 x3',
      'fire 300 late +0',
      'fire 400 late +10',
      'fire 500 late +20',
    ]);
  });
});

describe('overlap', () => {
  it('skip leaves out what does not fit', () => {
    const plan = planTick(facts(20, 45, { overlap: 'skip', maxInstances: 3 }, 1));
    expect(brief(plan.decisions)).toEqual(['fire 0', 'fire 20', 'skip 40 overlap']);
  });

  it('queue fires all: the gate of the run holds it', () => {
    const { decisions } = planTick(facts(20, 25, { overlap: 'queue' }, 4));
    expect(brief(decisions)).toEqual(['fire 0', 'fire 20']);
    expect(decisions.every((each) => each.type === 'fire' && each.queued)).toBe(true);
  });

  it('skip lets what is made up for wait, and leaves out what comes in time meanwhile', () => {
    const plan = planTick(facts(50, 190, { overlap: 'skip', misfire: 'catch_up', catchUpLimit: 2 }, 1));
    expect(brief(plan.decisions)).toEqual([
      'missed 0..0 x1',
      'fire 50 late +0',
      'fire 100 late +10',
      'skip 150 overlap',
    ]);
  });

  it('skip counts what is made up for as active, and lets fire_once start nothing beside a run', () => {
    const busy = planTick(facts(100, 170, { overlap: 'skip', misfire: 'fire_once' }, 1));
    expect(brief(busy.decisions)).toEqual(['missed 0..0 x1', 'skip 100 overlap']);
    const free = planTick(facts(70, 135, { overlap: 'skip', misfire: 'fire_once' }, 0));
    expect(brief(free.decisions)).toEqual(['missed 0..0 x1', 'fire 70 late +0']);
    const both = planTick(facts(65, 70, { overlap: 'skip', misfire: 'fire_once' }, 0));
    expect(brief(both.decisions)).toEqual(['fire 0 late +0', 'skip 65 overlap']);
  });

  it('skip that catches up gives all its runs the gate: none starts beside another', () => {
    const catching = { overlap: 'skip', misfire: 'catch_up', maxInstances: 3 } as const;
    const { decisions } = planTick(facts(65, 70, catching));
    expect(brief(decisions)).toEqual(['fire 0 late +0', 'fire 65']);
    expect(decisions.every((each) => each.type === 'fire' && each.queued)).toBe(true);
    const [alone] = planTick(facts(300, 5, { overlap: 'skip', misfire: 'fire_once' })).decisions;
    expect(alone).toMatchObject({ type: 'fire', queued: false });
  });

  it('cancel_existing starts the newest and cancels what runs', () => {
    const plan = planTick(facts(20, 45, { overlap: 'cancel_existing' }, 1));
    expect(brief(plan.decisions)).toEqual(['skip 0 superseded', 'skip 20 superseded', 'fire 40']);
    expect(plan.cancelOldest).toBe(1);
  });

  it('cancel_existing cancels nothing when there is room or nothing starts', () => {
    expect(planTick(facts(300, 5, { overlap: 'cancel_existing', maxInstances: 2 }, 1)).cancelOldest).toBe(0);
    expect(planTick(facts(300, 200, { overlap: 'cancel_existing' }, 3)).cancelOldest).toBe(0);
  });

  it('cancel_existing cancels as many as the new ones need', () => {
    expect(planTick(facts(300, 5, { overlap: 'cancel_existing', maxInstances: 3 }, 3)).cancelOldest).toBe(1);
    // More than may be, since the limit was lowered.
    expect(planTick(facts(300, 5, { overlap: 'cancel_existing', maxInstances: 2 }, 5)).cancelOldest).toBe(4);
    expect(planTick(facts(20, 45, { overlap: 'cancel_existing', maxInstances: 3 }, 2)).cancelOldest).toBe(2);
  });
});

describe('whatever is due', () => {
  it('skip starts no more than there is room for, but what is caught up with under the gate', () => {
    fc.assert(
      fc.property(
        fc.record({
          misfire: fc.constantFrom(...MISFIRE_POLICIES),
          graceSeconds: fc.integer({ min: 0, max: 200 }),
          catchUpLimit: fc.integer({ min: 1, max: 20 }),
          maxInstances: fc.integer({ min: 1, max: 5 }),
        }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 0, max: 6 }),
        (policy, now, active) => {
          const { decisions } = planTick(facts(10, now, { ...policy, overlap: 'skip' }, active));
          const fires = decisions.filter((each) => each.type === 'fire');
          const room = Math.max(policy.maxInstances - active, 0);
          const own = policy.misfire === 'catch_up' ? fires.filter(({ late }) => !late) : fires;
          expect(own.length).toBeLessThanOrEqual(room);
          expect(fires.every(({ queued }) => queued === (policy.misfire === 'catch_up'))).toBe(true);
        },
      ),
    );
  });

  const policies = fc.record({
    misfire: fc.constantFrom(...MISFIRE_POLICIES),
    graceSeconds: fc.integer({ min: 0, max: 3_000 }),
    catchUpLimit: fc.integer({ min: 1, max: MAX_CATCH_UP }),
    catchUpSpacingSeconds: fc.integer({ min: 0, max: 60 }),
    overlap: fc.constantFrom(...OVERLAP_POLICIES),
    maxInstances: fc.integer({ min: 1, max: 5 }),
  });

  it('is decided in order, once, to the end, in bounded steps', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 9_000 }),
        (policy, every, now) => {
          const covered: number[] = [];
          let fired = 0;
          let step: TickFacts = facts(every, now, policy);
          for (let looks = 0; ; looks += 1) {
            expect(looks).toBeLessThan(30);
            const plan = planTick(step);
            let occurrences = 0;
            for (const decision of plan.decisions) {
              const from = (decision.fireAt.getTime() - START) / 1_000;
              const count = decision.type === 'missed' ? decision.occurrences : 1;
              for (let index = 0; index < count; index += 1) covered.push(from + index * every);
              occurrences += count;
              if (decision.type === 'fire') fired += 1;
            }
            expect(occurrences).toBeLessThanOrEqual(MAX_OCCURRENCES);
            if (plan.nextFireAt === null) throw new Error('this schedule has no end');
            if (!plan.more) {
              expect(plan.nextFireAt > step.now).toBe(true);
              break;
            }
            step = { ...step, nextFireAt: plan.nextFireAt };
          }
          const due = Math.floor(now / every) + 1;
          expect(covered).toEqual(Array.from({ length: due }, (_, index) => index * every));
          const late = Array.from({ length: due }, (_, index) => now - index * every).filter(
            (age) => age > policy.graceSeconds,
          ).length;
          const madeUp = { skip: 0, fire_once: 1, catch_up: policy.catchUpLimit }[policy.misfire];
          if (policy.overlap === 'allow') expect(fired).toBe(due - late + Math.min(late, madeUp));
        },
      ),
      { numRuns: 300 },
    );
  });
});
