/** Queries and answers of the statistics of workflows. */
import { z } from 'zod';
import { ERROR_CATEGORIES } from '@spine/core';
import { QUALITY_LIMITS } from '@spine/database';
import type { StepQuality } from '@spine/database';
import type { DurationPercentiles, RateOfRuns, WorkflowRunStats } from '@spine/orchestration';
import { cursorPaging } from '../http/paging.ts';
import { wholeNumber } from '../http/query-values.ts';

const MOST_DAYS = 366;

const days = wholeNumber(1, MOST_DAYS)
  .default(30)
  .describe('Days back from now, by when runs were submitted. Default 30.');

export const workflowStatsQuery = z.strictObject({ days });
export type WorkflowStatsQuery = z.infer<typeof workflowStatsQuery>;

/** Each of them is read for itself. */
const MOST_WORKFLOWS = 100;

export const workflowStatsListQuery = z.strictObject({
  days,
  ...cursorPaging,
  limit: wholeNumber(1, MOST_WORKFLOWS).default(50).describe('Workflows of one page. Default 50.'),
});
export type WorkflowStatsListQuery = z.infer<typeof workflowStatsListQuery>;

const count = z.int().min(0);

const rate = {
  completed: count,
  failed: count.describe('Ended without completing; cancelled runs are in neither.'),
  success_rate: z
    .number()
    .nullable()
    .describe('completed of completed and failed; null where none has ended.'),
};

const durations = z
  .object({
    count: count.describe('Completed runs.'),
    p50: z.number().nullable(),
    p90: z.number().nullable(),
    p99: z.number().nullable(),
  })
  .describe(
    'Milliseconds from start to end of completed runs, by nearest rank; waits for room are not counted.',
  );

const figures = {
  name: z.string(),
  window: z.object({
    days: z.int(),
    now: z.iso.datetime(),
    runs: count.describe('Runs that were read, skipped ones too.'),
    skipped: count.describe('Not begun because of another run; in none of the figures.'),
    is_capped: z.boolean().describe('Older runs of the window were not read.'),
    counted_since: z.iso.datetime().nullable(),
  }),
  ...rate,
  duration_ms: durations,
};

export const workflowFiguresJson = z.object(figures).meta({ id: 'WorkflowFigures' });
export type WorkflowFiguresJson = z.infer<typeof workflowFiguresJson>;

export const workflowStatsJson = z
  .object({
    ...figures,
    failures: z
      .array(z.object({ category: z.enum([...ERROR_CATEGORIES, 'UNKNOWN']), count }))
      .describe('Failed runs by category of the error, the most frequent first.'),
    quality: z
      .array(
        z.object({
          step: z.string(),
          runs: count.describe('Runs in which the step has said something about its data.'),
          passed: count.describe('Of them, those in which it let the data through.'),
          record_count: z.string().describe('The sum, as decimal text.'),
          valid_count: z.string().describe('The sum, as decimal text.'),
        }),
      )
      .describe(
        `What steps have said about their data, in the newest ${QUALITY_LIMITS.runs} runs of the window that have ended; of each the first ${QUALITY_LIMITS.steps} steps by name are read.`,
      ),
    trend: z
      .array(z.object({ day: z.iso.date(), runs: count, ...rate, duration_ms: durations }))
      .describe('Day by day in UTC, oldest first; days without runs are there as well.'),
  })
  .meta({ id: 'WorkflowStats' });
export type WorkflowStatsJson = z.infer<typeof workflowStatsJson>;

function rateJson({ completed, failed, rate: share }: RateOfRuns) {
  return { completed, failed, success_rate: share };
}

function durationJson({ count: measured, p50, p90, p99 }: DurationPercentiles) {
  return { count: measured, p50, p90, p99 };
}

export function toWorkflowFiguresJson(stats: WorkflowRunStats, name: string): WorkflowFiguresJson {
  const { runs, skipped, isCapped, countedSince } = stats.counted(name);
  return {
    name,
    window: {
      days: stats.days,
      now: stats.now.toISOString(),
      runs,
      skipped,
      is_capped: isCapped,
      counted_since: countedSince?.toISOString() ?? null,
    },
    ...rateJson(stats.analytics.successRate(name)),
    duration_ms: durationJson(stats.analytics.durationPercentiles(name)),
  };
}

export function toWorkflowStatsJson(
  stats: WorkflowRunStats,
  name: string,
  quality: readonly StepQuality[],
): WorkflowStatsJson {
  const { analytics } = stats;
  return {
    ...toWorkflowFiguresJson(stats, name),
    failures: analytics
      .failureBreakdown(name)
      .map(({ category, count: failed }) => ({ category, count: failed })),
    quality: quality.map(({ step, runs, passed, recordCount, validCount }) => ({
      step,
      runs,
      passed,
      record_count: recordCount,
      valid_count: validCount,
    })),
    trend: analytics.trend(name).map((point) => ({
      day: point.day,
      runs: point.runs,
      ...rateJson(point),
      duration_ms: durationJson(point.durationMs),
    })),
  };
}
