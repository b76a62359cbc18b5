/**
 * What one look at a due schedule decides. Pure: the same facts give the same plan.
 *
 * 1. Occurrences are decided in order, from `nextFireAt` on, none twice and none left out: decisions cover every
 *    occurrence up to the plan's own `nextFireAt`.
 * 2. A plan is bounded: at most {@link MAX_OCCURRENCES} occurrences are looked at; when more are due, the plan ends earlier
 *    and `more` asks for another look.
 * 3. Only the newest `catchUpLimit` late occurrences are made up for, oldest first; those before them are missed.
 */
import { assertNever } from '@spine/core';

export const MISFIRE_POLICIES = ['skip', 'fire_once', 'catch_up'] as const;
export type MisfirePolicy = (typeof MISFIRE_POLICIES)[number];

export const OVERLAP_POLICIES = ['allow', 'skip', 'queue', 'cancel_existing'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

export const MAX_OCCURRENCES = 1_000;
export const MAX_CATCH_UP = 500;

export interface TickPolicy {
  readonly misfire: MisfirePolicy;
  /** Later than this is late. */
  readonly graceSeconds: number;
  /** 1 to {@link MAX_CATCH_UP}. */
  readonly catchUpLimit: number;
  /** Seconds between the starts of runs that are made up for. */
  readonly catchUpSpacingSeconds: number;
  readonly overlap: OverlapPolicy;
  readonly maxInstances: number;
}

export interface TickFacts {
  readonly policy: TickPolicy;
  /** The first occurrence that is not decided. */
  readonly nextFireAt: Date;
  /** Runs of the schedule that have not ended. */
  readonly activeRuns: number;
  /** The database's time. */
  readonly now: Date;
  /** The occurrence after one, exclusively; null when there is none. */
  readonly next: (after: Date) => Date | null;
}

export type SkipReason = 'overlap' | 'superseded';

export type Decision =
  /** Start a run. */
  | {
      readonly type: 'fire';
      readonly fireAt: Date;
      /** Made up for: it goes to the schedule's lane for that. */
      readonly late: boolean;
      /** How long the run waits for its turn among those made up for. */
      readonly delayMs: number;
      /** Waits until the schedule has room for it. */
      readonly queued: boolean;
    }
  | { readonly type: 'skip'; readonly fireAt: Date; readonly reason: SkipReason }
  /** Came too late. One decision stands for a stretch of `occurrences` that follow each other up to `throughAt`. */
  | {
      readonly type: 'missed';
      readonly fireAt: Date;
      readonly throughAt: Date;
      readonly occurrences: number;
    };

export interface TickPlan {
  readonly decisions: readonly Decision[];
  /** The first occurrence this plan does not decide; null when there is none. */
  readonly nextFireAt: Date | null;
  /** So many of the runs under way, the oldest, are to be cancelled before the new ones start. */
  readonly cancelOldest: number;
  /** More is due than one plan takes. */
  readonly more: boolean;
}

export function planTick(facts: TickFacts): TickPlan {
  const { due, upcoming } = dueOccurrences(facts);
  const more = upcoming !== null && upcoming <= facts.now;
  const lateUntil = facts.now.getTime() - facts.policy.graceSeconds * 1_000;
  const lateCount = due.findLastIndex((at) => at.getTime() < lateUntil) + 1;
  const late = due.slice(0, lateCount);
  const { missed, madeUp, kept } = sortLate(late, facts.policy, more && lateCount === due.length);
  const onTime = due.slice(lateCount);
  const fires = [
    ...madeUp.map((fireAt) => ({ fireAt, late: true })),
    ...onTime.map((fireAt) => ({ fireAt, late: false })),
  ];
  const { decisions, cancelOldest } = withOverlap(fires, facts);
  return {
    decisions: [...asMissed(missed), ...decisions],
    nextFireAt: kept[0] ?? upcoming,
    cancelOldest,
    more,
  };
}

function dueOccurrences({ nextFireAt, now, next }: TickFacts): { due: Date[]; upcoming: Date | null } {
  const due: Date[] = [];
  let at: Date | null = nextFireAt;
  while (at !== null && at <= now && due.length < MAX_OCCURRENCES) {
    due.push(at);
    at = next(at);
  }
  return { due, upcoming: at };
}

interface SortedLate {
  readonly missed: readonly Date[];
  readonly madeUp: readonly Date[];
  /** Not decided in this plan: which of them are the newest is only known once the later ones have been looked at. */
  readonly kept: readonly Date[];
}

/** @param moreLate later ones than these may be late as well. */
function sortLate(late: readonly Date[], policy: TickPolicy, moreLate: boolean): SortedLate {
  const keep = newestMadeUp(policy);
  const cut = Math.max(late.length - keep, 0);
  const newest = late.slice(cut);
  return moreLate
    ? { missed: late.slice(0, cut), madeUp: [], kept: newest }
    : { missed: late.slice(0, cut), madeUp: newest, kept: [] };
}

/** How many late occurrences are made up for. */
function newestMadeUp({ misfire, catchUpLimit }: TickPolicy): number {
  switch (misfire) {
    case 'skip':
      return 0;
    case 'fire_once':
      return 1;
    case 'catch_up':
      return catchUpLimit;
    default:
      return assertNever(misfire);
  }
}

function asMissed(missed: readonly Date[]): Decision[] {
  const [fireAt] = missed;
  const throughAt = missed.at(-1);
  if (fireAt === undefined || throughAt === undefined) return [];
  return [{ type: 'missed', fireAt, throughAt, occurrences: missed.length }];
}

interface Fire {
  readonly fireAt: Date;
  readonly late: boolean;
}

function withOverlap(
  fires: readonly Fire[],
  { policy, activeRuns }: TickFacts,
): Pick<TickPlan, 'decisions' | 'cancelOldest'> {
  const { overlap, maxInstances } = policy;
  const turn = turnsOf(policy);
  switch (overlap) {
    case 'allow':
    case 'queue':
      return {
        decisions: fires.map(turn),
        cancelOldest: 0,
      };
    case 'skip': {
      // What is caught up with waits for its turn, since it would be in its own way otherwise.
      const waits = policy.misfire === 'catch_up';
      let free = Math.max(maxInstances - activeRuns, 0);
      const decisions = fires.map((each, index): Decision => {
        free -= 1;
        return free >= 0 || (each.late && waits)
          ? turn(each, index)
          : { type: 'skip', fireAt: each.fireAt, reason: 'overlap' };
      });
      return { decisions, cancelOldest: 0 };
    }
    case 'cancel_existing': {
      // Of several at once only the newest would survive: the others are not started at all.
      const from = Math.max(fires.length - maxInstances, 0);
      const decisions = fires.map((each, index): Decision =>
        index >= from
          ? turn(each, index - from)
          : { type: 'skip', fireAt: each.fireAt, reason: 'superseded' },
      );
      const started = fires.length - from;
      const tooMany = started > 0 ? activeRuns + started - maxInstances : 0;
      return { decisions, cancelOldest: Math.min(Math.max(tooMany, 0), activeRuns) };
    }
    default:
      return assertNever(overlap);
  }
}

/**
 * Whether the runs of a schedule hold each other up by its gate: all of them, so that none that is caught up with
 * starts beside one that came in time.
 */
export function isGated({ overlap, misfire }: Pick<TickPolicy, 'overlap' | 'misfire'>): boolean {
  return overlap === 'queue' || (overlap === 'skip' && misfire === 'catch_up');
}

function turnsOf(policy: TickPolicy) {
  const queued = isGated(policy);
  return ({ fireAt, late }: Fire, index: number): Decision => ({
    type: 'fire',
    fireAt,
    late,
    delayMs: late ? index * policy.catchUpSpacingSeconds * 1_000 : 0,
    queued,
  });
}
