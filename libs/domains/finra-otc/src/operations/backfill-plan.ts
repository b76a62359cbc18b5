/**
 * Which steps of a backfill are done, may start, or never can. Pure.
 *
 * 1. A step may start when everything it reads is there: of the same week, and, for the rolling window, of the weeks of the
 *    range before it. What is asked for again is asked for in the order of the weeks.
 * 2. A step is done when the manifest says so of the capture that the week has now, or when its run completed.
 * 3. A step that needs what nobody will make is blocked; it is never waited for.
 */
import type { PlainDate } from '@spine/core';
import { ROLLING_WEEKS } from '../calcs/rolling.ts';
import type { StageName } from '../stages.ts';

/** The operations a backfill can run, in the order they are run in within a week. */
export const BACKFILL_OPERATIONS = [
  'normalize_week',
  'aggregate_week',
  'compute_venue_share',
  'compute_venue_concentration',
  'compute_volume_per_day',
  'compute_liquidity_score',
  'compute_rolling',
] as const;
export type BackfillOperation = (typeof BACKFILL_OPERATIONS)[number];

/** What an operation leaves in the manifest, and what has to be there before it. */
export const BACKFILL_STAGES: Readonly<
  Record<BackfillOperation, { readonly stage: StageName; readonly needs: BackfillOperation | null }>
> = {
  normalize_week: { stage: 'NORMALIZED', needs: null },
  aggregate_week: { stage: 'AGGREGATED', needs: 'normalize_week' },
  compute_venue_share: { stage: 'VENUE_SHARE', needs: 'normalize_week' },
  compute_venue_concentration: { stage: 'VENUE_CONCENTRATION', needs: 'normalize_week' },
  compute_volume_per_day: { stage: 'VOLUME_PER_DAY', needs: 'aggregate_week' },
  compute_liquidity_score: { stage: 'LIQUIDITY_SCORE', needs: 'normalize_week' },
  compute_rolling: { stage: 'ROLLING', needs: 'aggregate_week' },
};

/** What the manifest says of a stage of a week. */
export interface StageFact {
  /** The capture it was made of; null where it names none. */
  readonly captureId: string | null;
  readonly updatedAt: Date;
}

export interface WeekFacts {
  readonly week: PlainDate;
  readonly stages: ReadonlyMap<string, StageFact>;
}

/** What is known of the run of a step, where one was submitted. */
export type StepRun = 'open' | 'completed' | 'failed';

export interface BackfillStep {
  readonly week: PlainDate;
  readonly operation: BackfillOperation;
}

export type StepState = 'done' | 'open' | 'failed' | 'ready' | 'waiting' | 'blocked';

export interface PlannedStep extends BackfillStep {
  readonly state: StepState;
}

export function stepKey({ week, operation }: BackfillStep): string {
  return `${week}:${operation}`;
}

/**
 * Every step of the weeks and operations, in the order they are to be run, with where it stands.
 * @param weeks oldest first.
 */
export function planBackfill(
  weeks: readonly WeekFacts[],
  operations: readonly BackfillOperation[],
  runs: ReadonlyMap<string, StepRun>,
): PlannedStep[] {
  const wanted = BACKFILL_OPERATIONS.filter((operation) => operations.includes(operation));
  const states = new Map<string, StepState>();
  return weeks.flatMap((facts, index) =>
    wanted.map((operation) => {
      const step = { week: facts.week, operation };
      const state =
        doneOrRun(facts, operation, runs.get(stepKey(step))) ??
        readiness(weeks, index, operation, (week, of) => states.get(stepKey({ week, operation: of })));
      states.set(stepKey(step), state);
      return { ...step, state };
    }),
  );
}

function doneOrRun(
  facts: WeekFacts,
  operation: BackfillOperation,
  run: StepRun | undefined,
): StepState | null {
  if (run === 'open' || run === 'failed') return run;
  return run === 'completed' || isDone(facts, operation) ? 'done' : null;
}

/** Whether the stage was reached with what the week holds now. */
function isDone({ stages }: WeekFacts, operation: BackfillOperation): boolean {
  const reached = stages.get(BACKFILL_STAGES[operation].stage);
  const [ingested, normalized] = [stages.get('INGESTED'), stages.get('NORMALIZED')];
  if (reached === undefined || normalized === undefined) return false;
  // What was ingested since may be another capture: normalizing again finds out, and costs little if it is not.
  if (ingested !== undefined && ingested.updatedAt > normalized.updatedAt) return false;
  return reached.captureId === normalized.captureId;
}

function readiness(
  weeks: readonly WeekFacts[],
  index: number,
  operation: BackfillOperation,
  stateOf: (week: PlainDate, operation: BackfillOperation) => StepState | undefined,
): StepState {
  const facts = weeks[index];
  if (facts === undefined || !facts.stages.has('INGESTED')) return 'blocked';
  const { needs } = BACKFILL_STAGES[operation];
  if (needs === null) return 'ready';
  const before =
    operation === 'compute_rolling' ? weeks.slice(Math.max(0, index - ROLLING_WEEKS + 1), index) : [];
  const own = stateOf(facts.week, needs) ?? (isDone(facts, needs) ? 'done' : 'blocked');
  if (own === 'failed' || own === 'blocked') return 'blocked';
  // An earlier week that cannot be had is a gap in the window, not a reason to wait.
  const others = before.map((each) => stateOf(each.week, needs) ?? 'done');
  const pending = [own, ...others].some(
    (state) => state === 'open' || state === 'ready' || state === 'waiting',
  );
  return pending ? 'waiting' : 'ready';
}
