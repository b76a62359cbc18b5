/** What the runs of a workflow have been like. Pure: of records, wherever they are kept. */
import { comparePlainDates, addDays, plainDateFromInstant, RunStatus, ValidationError } from '@spine/core';
import type { ErrorCategory, PlainDate } from '@spine/core';

/** One run, as far as it matters here. */
export interface RunRecordSummary {
  readonly workflow: string;
  readonly status: RunStatus;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** Null unless it has failed. */
  readonly errorCategory: ErrorCategory | null;
}

export interface RunWindow {
  /** The end of the window; runs created after it do not count. */
  readonly now: Date;
  /** Days back from `now`. Default 30, at most 3,660. */
  readonly days?: number;
}

export interface RateOfRuns {
  readonly completed: number;
  /** Runs that have ended without completing, cancelled ones apart: those say nothing about the workflow. */
  readonly failed: number;
  /** `completed / (completed + failed)`, 0 to 1; null where none has ended. */
  readonly rate: number | null;
}

/** Milliseconds; null where no run has completed. */
export interface DurationPercentiles {
  readonly count: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

export interface TrendPoint extends RateOfRuns {
  /** In UTC, by the creation of the runs. */
  readonly day: PlainDate;
  readonly runs: number;
  readonly durationMs: DurationPercentiles;
}

const FAILED: ReadonlySet<RunStatus> = new Set([
  RunStatus.Failed,
  RunStatus.TimedOut,
  RunStatus.DeadLettered,
]);
const MAX_DAYS = 3_660;

export class RunAnalytics {
  readonly #runs: readonly RunRecordSummary[];
  readonly #window: Required<RunWindow>;

  /** @throws ValidationError for a window of no whole number of days between 1 and 3,660. */
  constructor(records: readonly RunRecordSummary[], { now, days = 30 }: RunWindow) {
    if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
      const message = `${days} is no window; allowed are whole days from 1 to ${MAX_DAYS}`;
      throw new ValidationError(`days: ${message}`, {
        issues: [{ field: 'days', code: 'out_of_range', message }],
      });
    }
    this.#window = { now, days };
    const from = now.getTime() - days * 86_400_000;
    this.#runs = records.filter(({ createdAt }) => createdAt.getTime() > from && createdAt <= now);
  }

  /** @param workflow default: all of them. */
  successRate(workflow?: string): RateOfRuns {
    return rateOf(this.#of(workflow));
  }

  /** Of completed runs, from start to end. */
  durationPercentiles(workflow?: string): DurationPercentiles {
    return percentilesOf(this.#of(workflow));
  }

  /** How many runs have failed, by category of the error; the most frequent first, `UNKNOWN` without one. */
  failureBreakdown(
    workflow?: string,
  ): readonly { readonly category: ErrorCategory | 'UNKNOWN'; readonly count: number }[] {
    const counts = new Map<ErrorCategory | 'UNKNOWN', number>();
    for (const { status, errorCategory } of this.#of(workflow)) {
      if (!FAILED.has(status)) continue;
      const category = errorCategory ?? 'UNKNOWN';
      counts.set(category, (counts.get(category) ?? 0) + 1);
    }
    return [...counts]
      .map(([category, count]) => ({ category, count }))
      .sort((a, b) => b.count - a.count || (a.category < b.category ? -1 : 1));
  }

  /** Day by day, oldest first; days without runs are there as well, so that a gap is seen as one. */
  trend(workflow?: string): readonly TrendPoint[] {
    const byDay = new Map<PlainDate, RunRecordSummary[]>();
    for (const run of this.#of(workflow)) {
      const day = plainDateFromInstant(run.createdAt);
      const runs = byDay.get(day) ?? [];
      runs.push(run);
      byDay.set(day, runs);
    }
    const last = plainDateFromInstant(this.#window.now);
    // A window that begins within a day touches one day more than it has.
    const first = plainDateFromInstant(
      new Date(this.#window.now.getTime() - this.#window.days * 86_400_000 + 1),
    );
    const points: TrendPoint[] = [];
    for (let day = first; comparePlainDates(day, last) <= 0; day = addDays(day, 1)) {
      const runs = byDay.get(day) ?? [];
      points.push({ day, runs: runs.length, ...rateOf(runs), durationMs: percentilesOf(runs) });
    }
    return points;
  }

  #of(workflow: string | undefined): readonly RunRecordSummary[] {
    return workflow === undefined ? this.#runs : this.#runs.filter((run) => run.workflow === workflow);
  }
}

function rateOf(runs: readonly RunRecordSummary[]): RateOfRuns {
  const completed = runs.filter(({ status }) => status === RunStatus.Completed).length;
  const failed = runs.filter(({ status }) => FAILED.has(status)).length;
  return { completed, failed, rate: completed + failed === 0 ? null : completed / (completed + failed) };
}

function percentilesOf(runs: readonly RunRecordSummary[]): DurationPercentiles {
  const durations = runs
    .flatMap(({ status, startedAt, endedAt }) =>
      status === RunStatus.Completed && startedAt !== null && endedAt !== null
        ? [Math.max(0, endedAt.getTime() - startedAt.getTime())]
        : [],
    )
    .sort((a, b) => a - b);
  const at = (percent: number): number | null => nearestRank(durations, percent);
  return { count: durations.length, p50: at(50), p90: at(90), p99: at(99) };
}

/**
 * The smallest value that at least `percent` of all values do not exceed: the nearest-rank percentile, always one of the
 * values. Null for none.
 *
 * @param sorted ascending. @param percent over 0, to 100; a whole number, so that ranks are exact.
 */
export function nearestRank(sorted: readonly number[], percent: number): number | null {
  return sorted[Math.ceil((percent * sorted.length) / 100) - 1] ?? null;
}
