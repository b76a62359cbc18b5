/** Statistics of workflows from the runs that the database has. */
import { workflowRunWindow } from '@spine/database';
import type { Db } from '@spine/database';
import { RunAnalytics } from '../tools/catalog/analytics.ts';

export interface RunStatsOptions {
  /** Days back from now, 1 to 366. Default 30. */
  readonly days?: number;
  /** Runs read of each workflow at the most, the newest. Default 1,000. */
  readonly perWorkflow?: number;
  /** Only runs of it. Default: all. */
  readonly namespace?: string;
}

/** What was read of one workflow. */
export interface CountedRuns {
  /** Skipped ones too. */
  readonly runs: number;
  /** Completed without having begun. They are in no statistic. */
  readonly skipped: number;
  /** Older runs of the window were not read. */
  readonly isCapped: boolean;
  /** When the oldest of them was submitted; null for none. */
  readonly countedSince: Date | null;
}

export interface WorkflowRunStats {
  readonly analytics: RunAnalytics;
  /** The end of the window. */
  readonly now: Date;
  readonly days: number;
  /** Of a workflow that was asked for. */
  counted(name: string): CountedRuns;
}

/**
 * Statistics of the runs that these workflows were given in the window.
 * @throws ValidationError for a window of no whole number of days.
 */
export async function workflowRunStats(
  db: Db,
  names: readonly string[],
  { days = 30, perWorkflow = 1_000, namespace }: RunStatsOptions = {},
): Promise<WorkflowRunStats> {
  const { now, runs } = await workflowRunWindow(db, names, {
    days,
    limit: perWorkflow,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const byName = Map.groupBy(runs, ({ workflow }) => workflow);
  return {
    analytics: new RunAnalytics(
      runs.filter(({ skipped }) => !skipped),
      { now, days },
    ),
    now,
    days,
    counted: (name) => {
      const found = byName.get(name) ?? [];
      const oldest = Math.min(...found.map(({ createdAt }) => createdAt.getTime()));
      return {
        runs: found.length,
        skipped: found.filter(({ skipped }) => skipped).length,
        isCapped: found.length >= perWorkflow,
        countedSince: found.length === 0 ? null : new Date(oldest),
      };
    },
  };
}
