import { addDays, parsePlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACKFILL_OPERATIONS, BACKFILL_STAGES, planBackfill, stepKey } from './backfill-plan.ts';
import type { BackfillOperation, StepRun, WeekFacts } from './backfill-plan.ts';

const FIRST = parsePlainDate('2025-10-03');
const weekAt = (index: number): PlainDate => addDays(FIRST, 7 * index);
const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));

function facts(
  index: number,
  stages: Readonly<Record<string, { capture?: string; minute?: number }>>,
): WeekFacts {
  return {
    week: weekAt(index),
    stages: new Map(
      Object.entries(stages).map(([stage, { capture = 'c', minute = 1 }]) => [
        stage,
        { captureId: capture, updatedAt: at(minute) },
      ]),
    ),
  };
}

const stateOf = (
  weeks: readonly WeekFacts[],
  operations: readonly BackfillOperation[],
  runs = new Map<string, StepRun>(),
) =>
  planBackfill(weeks, operations, runs).map(({ week, operation, state }) => `${week} ${operation} ${state}`);

describe('the plan of a backfill', () => {
  it('starts at the first stage that is missing, in the order of the week', () => {
    expect(
      stateOf(
        [facts(0, { INGESTED: {}, NORMALIZED: {} })],
        ['compute_volume_per_day', 'aggregate_week', 'normalize_week'],
      ),
    ).toEqual([
      '2025-10-03 normalize_week done',
      '2025-10-03 aggregate_week ready',
      '2025-10-03 compute_volume_per_day waiting',
    ]);
  });

  it('does again what was made of another capture, or before the newest ingest', () => {
    const older = facts(0, { INGESTED: {}, NORMALIZED: { capture: 'new' }, AGGREGATED: { capture: 'old' } });
    expect(stateOf([older], ['aggregate_week'])).toEqual(['2025-10-03 aggregate_week ready']);
    const ingestedSince = facts(0, { INGESTED: { minute: 2 }, NORMALIZED: {}, AGGREGATED: {} });
    expect(stateOf([ingestedSince], ['normalize_week', 'aggregate_week'])).toEqual([
      '2025-10-03 normalize_week ready',
      '2025-10-03 aggregate_week waiting',
    ]);
  });

  it('lets a rolling window wait for the weeks before, and not for those that cannot be had', () => {
    const weeks = [
      facts(0, {}),
      facts(1, { INGESTED: {} }),
      facts(2, { INGESTED: {}, NORMALIZED: {}, AGGREGATED: {} }),
    ];
    const operations = ['normalize_week', 'aggregate_week', 'compute_rolling'] as const;
    const rollings = (runs: Map<string, StepRun>) =>
      planBackfill(weeks, operations, runs)
        .filter(({ operation }) => operation === 'compute_rolling')
        .map(({ state }) => state);
    expect(rollings(new Map())).toEqual(['blocked', 'waiting', 'waiting']);
    const normalized: [string, StepRun] = [`${weekAt(1)}:normalize_week`, 'completed'];
    expect(rollings(new Map([normalized, [`${weekAt(1)}:aggregate_week`, 'completed']]))).toEqual([
      'blocked',
      'ready',
      'ready',
    ]);
    expect(rollings(new Map([normalized, [`${weekAt(1)}:aggregate_week`, 'failed']]))).toEqual([
      'blocked',
      'blocked',
      'ready',
    ]);
  });

  it('blocks what needs a step that nobody asked for', () => {
    expect(stateOf([facts(0, { INGESTED: {} })], ['compute_rolling'])).toEqual([
      '2025-10-03 compute_rolling blocked',
    ]);
  });

  it('comes to an end whatever fails, with every step after what it needs', () => {
    const week = fc.record({ ingested: fc.boolean(), done: fc.subarray([...BACKFILL_OPERATIONS]) });
    const operations = fc.subarray([...BACKFILL_OPERATIONS], { minLength: 1 });
    fc.assert(
      fc.property(
        fc.array(week, { minLength: 1, maxLength: 8 }),
        operations,
        fc.infiniteStream(fc.boolean()),
        (given, wanted, luck) => {
          const weeks = given.map(({ ingested, done }, index) =>
            facts(index, {
              ...(ingested ? { INGESTED: {} } : {}),
              ...Object.fromEntries(done.map((operation) => [BACKFILL_STAGES[operation].stage, {}])),
            }),
          );
          const runs = new Map<string, StepRun>();
          for (let round = 0; ; round += 1) {
            expect(round).toBeLessThanOrEqual(weeks.length * BACKFILL_OPERATIONS.length);
            const plan = planBackfill(weeks, wanted, runs);
            const ready = plan.filter(({ state }) => state === 'ready');
            if (ready.length === 0) {
              expect(plan.filter(({ state }) => state === 'waiting' || state === 'open')).toEqual([]);
              return;
            }
            for (const step of ready) {
              const { needs } = BACKFILL_STAGES[step.operation];
              const needed = plan.find(({ week: of, operation }) => of === step.week && operation === needs);
              expect(needed?.state ?? 'done').toBe('done');
              runs.set(stepKey(step), luck.next().value === true ? 'completed' : 'failed');
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
