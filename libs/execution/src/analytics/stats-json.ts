/** The JSON of run statistics, queues and workers: the one place where their camelCase becomes snake_case. */
import { z } from 'zod';
import { RUN_KINDS, RUN_STATUSES } from '@spine/core';
import type {
  CountedWindow,
  HandlerStats,
  HandlerWindowStats,
  RunStats,
  Timeline,
  WindowStats,
  WorkerRecord,
} from '@spine/database';
import { deadLetterStatsJson, toDeadLetterStatsJson } from '../dead-letter/stats-json.ts';
import type { Dashboard } from './execution-repository.ts';
import { HEALTH_CHECKS, HEALTH_GRADES } from './health.ts';
import type { QueueState } from './queues.ts';

const instant = z.iso.datetime();

const percentiles = z
  .object({ p50: z.number().nullable(), p95: z.number().nullable(), p99: z.number().nullable() })
  .meta({ id: 'Percentiles', description: 'Milliseconds; null where nothing was measured.' });

const windowJson = z
  .object({
    hours: z.int(),
    now: instant.describe('The database’s clock.'),
    runs: z.int().describe('Runs counted, the newest first.'),
    is_capped: z.boolean().describe('True: there are more in the window; the older ones are missing.'),
    counted_since: instant.nullable().describe('When the oldest counted run was submitted.'),
  })
  .meta({ id: 'CountedWindow' });

const runStats = {
  runs: z.int(),
  by_status: z.record(z.enum(RUN_STATUSES), z.int()),
  success_rate: z
    .number()
    .nullable()
    .describe('Of the runs that ended by themselves, the share that completed, 0 to 1.'),
  attempts: z.int().describe('Attempts started.'),
  crashes: z.int().describe('Attempts whose worker went silent.'),
  duration_ms: percentiles.describe('From the first start to the end, waits between attempts included.'),
  wait_ms: percentiles.describe('From being due to the first start.'),
};

const handlerStats = z
  .object({ kind: z.enum(RUN_KINDS), name: z.string(), ...runStats })
  .meta({ id: 'HandlerStats' });

export const windowStatsJson = z.object({ window: windowJson, ...runStats }).meta({ id: 'RunStats' });

export const handlerWindowStatsJson = z
  .object({ window: windowJson, handlers: z.array(handlerStats).describe('Those with the most runs first.') })
  .meta({ id: 'HandlerStatsList' });

export const timelineJson = z
  .object({
    hours: z.int(),
    bucket_minutes: z.int(),
    buckets: z.array(
      z.object({
        start: instant.describe('The bucket begins here; it is a multiple of its width, UTC.'),
        submitted: z.int(),
        completed: z.int(),
        failed: z.int().describe('Ended as failed, timed_out or dead_lettered.'),
        cancelled: z.int(),
        is_complete: z.boolean().describe('False: there were too many runs to count back to its beginning.'),
      }),
    ),
  })
  .meta({ id: 'RunTimeline', description: 'Oldest first, empty buckets included; the last is under way.' });

export const queueStateJson = z
  .object({
    lane: z.string(),
    waiting: z.int().describe('Pending and queued runs, counted up to 10,000.'),
    waiting_is_capped: z.boolean(),
    due: z.int().describe('Of the waiting ones, those that could start now.'),
    running: z.int(),
    oldest_due_age_ms: z.int().nullable().describe('How long the oldest counted due run has been due.'),
    workers: z.int().describe('Live workers that serve the lane.'),
    slots: z.int().describe('Their room for runs, shared with the other lanes they serve.'),
    paused: z.object({ at: instant, by: z.string().nullable(), note: z.string().nullable() }).nullable(),
  })
  .meta({ id: 'Queue', description: 'A lane: what waits and runs in it, and who serves it.' });

export const workerJson = z
  .object({
    worker_id: z.string(),
    hostname: z.string(),
    pid: z.int(),
    version: z.string(),
    lanes: z.array(z.string()),
    handlers: z.array(z.string()).describe('kind:name'),
    slots: z.int(),
    running: z.int().describe('Runs held at the last heartbeat.'),
    status: z.enum(['active', 'draining', 'stopped']),
    is_live: z.boolean().describe('Active, and heard of a moment ago.'),
    started_at: instant,
    last_seen_at: instant,
  })
  .meta({ id: 'Worker' });

export const dashboardJson = z
  .object({
    health: z.object({
      score: z.int().describe('0 to 100.'),
      grade: z.enum(HEALTH_GRADES),
      reasons: z
        .array(z.object({ check: z.enum(HEALTH_CHECKS), penalty: z.number(), message: z.string() }))
        .describe('What took points away, the most first.'),
    }),
    runs: windowStatsJson.describe('Of the last 24 hours.'),
    failing_handlers: z.array(handlerStats).describe('Of the last 24 hours, the most failures first.'),
    queues: z.array(queueStateJson),
    workers: z.object({ live: z.int(), draining: z.int(), slots: z.int(), running: z.int() }),
    dead_letters: deadLetterStatsJson,
  })
  .meta({ id: 'Dashboard' });

export type WindowStatsJson = z.infer<typeof windowStatsJson>;
export type HandlerWindowStatsJson = z.infer<typeof handlerWindowStatsJson>;
export type TimelineJson = z.infer<typeof timelineJson>;
export type QueueStateJson = z.infer<typeof queueStateJson>;
export type WorkerJson = z.infer<typeof workerJson>;
export type DashboardJson = z.infer<typeof dashboardJson>;

function windowOf({ hours, now, runs, isCapped, countedSince }: CountedWindow): z.infer<typeof windowJson> {
  return {
    hours,
    now: now.toISOString(),
    runs,
    is_capped: isCapped,
    counted_since: countedSince === null ? null : countedSince.toISOString(),
  };
}

function statsOf(stats: RunStats) {
  return {
    runs: stats.runs,
    by_status: stats.byStatus,
    success_rate: stats.successRate,
    attempts: stats.attempts,
    crashes: stats.crashes,
    duration_ms: stats.durationMs,
    wait_ms: stats.waitMs,
  };
}

function handlerOf(handler: HandlerStats): z.infer<typeof handlerStats> {
  return { kind: handler.kind, name: handler.name, ...statsOf(handler) };
}

export function toWindowStatsJson(stats: WindowStats): WindowStatsJson {
  return { window: windowOf(stats.window), ...statsOf(stats) };
}

export function toHandlerWindowStatsJson(stats: HandlerWindowStats): HandlerWindowStatsJson {
  return { window: windowOf(stats.window), handlers: stats.handlers.map(handlerOf) };
}

export function toTimelineJson({ hours, bucketMinutes, buckets }: Timeline): TimelineJson {
  return {
    hours,
    bucket_minutes: bucketMinutes,
    buckets: buckets.map(({ start, isComplete, ...counts }) => ({
      start: start.toISOString(),
      ...counts,
      is_complete: isComplete,
    })),
  };
}

export function toQueueStateJson(queue: QueueState): QueueStateJson {
  const { paused } = queue;
  return {
    lane: queue.lane,
    waiting: queue.waiting,
    waiting_is_capped: queue.waitingIsCapped,
    due: queue.due,
    running: queue.running,
    oldest_due_age_ms: queue.oldestDueAgeMs,
    workers: queue.workers,
    slots: queue.slots,
    paused: paused === null ? null : { at: paused.at.toISOString(), by: paused.by, note: paused.note },
  };
}

export function toWorkerJson(worker: WorkerRecord): WorkerJson {
  return {
    worker_id: worker.workerId,
    hostname: worker.hostname,
    pid: worker.pid,
    version: worker.version,
    lanes: [...worker.lanes],
    handlers: [...worker.handlers],
    slots: worker.slots,
    running: worker.running,
    status: worker.status,
    is_live: worker.isLive,
    started_at: worker.startedAt.toISOString(),
    last_seen_at: worker.lastSeenAt.toISOString(),
  };
}

export function toDashboardJson(dashboard: Dashboard): DashboardJson {
  const { score, grade, reasons } = dashboard.health;
  return {
    health: { score, grade, reasons: [...reasons] },
    runs: toWindowStatsJson(dashboard.runs),
    failing_handlers: dashboard.failingHandlers.map(handlerOf),
    queues: dashboard.queues.map(toQueueStateJson),
    workers: dashboard.workers,
    dead_letters: toDeadLetterStatsJson(dashboard.deadLetters),
  };
}
