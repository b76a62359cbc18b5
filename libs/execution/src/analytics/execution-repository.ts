/** What the ledger says of many runs at once: statistics, backlog, health, and its clean-up. */
import { ValidationError } from '@spine/core';
import {
  asQueryable,
  deadLetterGroups,
  FIRST_RUN_ID,
  handlerStats,
  laneBacklog,
  listWorkers,
  pausedLanes,
  purgeRuns,
  runStats,
  runTimeline,
  staleRuns,
  windowOverview,
} from '@spine/database';
import type {
  Backlog,
  Db,
  HandlerStats,
  HandlerWindowStats,
  LastHour,
  PurgeCounts,
  StaleRun,
  Timeline,
  WindowStats,
  WorkerRecord,
} from '@spine/database';
import { deadLetterStats } from '../dead-letter/stats.ts';
import type { DeadLetterStats } from '../dead-letter/stats.ts';
import { scoreHealth } from './health.ts';
import type { Health, HealthFacts } from './health.ts';
import { queueStates } from './queues.ts';
import type { QueueState } from './queues.ts';
import { Recent } from './recent.ts';

/** Hours a window may go back. */
export const MAX_WINDOW_HOURS = 744;
/** Widths of a timeline's buckets, in minutes. */
export const BUCKET_MINUTES = [1, 5, 15, 60, 360, 1440] as const;
export type BucketMinutes = (typeof BUCKET_MINUTES)[number];
/** Buckets of one timeline. */
export const MAX_BUCKETS = 1_500;
/** Due for longer than this, or without a lease for longer, a run counts as stale. */
export const STALE_AFTER_MS = 300_000;

const STALE_LIMIT = 1_000;
const PURGE_BATCH = 1_000;
const FAILING_HANDLERS = 5;

/** Runs that a dashboard counts, the newest: it is asked for all the time, and counting is what it costs. */
export const DASHBOARD_RUNS = 20_000;
/** Waiting runs up to which the backlog is looked at anew each time. */
const SMALL_BACKLOG = 1_000;
/** How old what is told of a larger one may be. */
const BACKLOG_MAX_AGE_MS = 1_000;

function isLarge({ lanes }: Backlog): boolean {
  return lanes.reduce((sum, { waiting, running }) => sum + waiting + running, 0) > SMALL_BACKLOG;
}

export interface Dashboard {
  readonly health: Health;
  /** Of the last 24 hours, the newest {@link DASHBOARD_RUNS}. */
  readonly runs: WindowStats;
  /** Of the same runs, those with the most failures first, at most 5. */
  readonly failingHandlers: readonly HandlerStats[];
  readonly queues: readonly QueueState[];
  readonly workers: {
    readonly live: number;
    readonly draining: number;
    readonly slots: number;
    readonly running: number;
  };
  /** Pending ones, and what was closed in the last 30 days. */
  readonly deadLetters: DeadLetterStats;
}

function outOfRange(field: string, given: unknown, allowed: string): ValidationError {
  const message = `given ${String(given)}; allowed: ${allowed}`;
  return new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'out_of_range', message }] });
}

function checkHours(hours: number): void {
  if (!Number.isInteger(hours) || hours < 1 || hours > MAX_WINDOW_HOURS) {
    throw outOfRange('hours', hours, `a whole number from 1 to ${MAX_WINDOW_HOURS}`);
  }
}

function failuresOf({ byStatus }: HandlerStats): number {
  return byStatus.failed + byStatus.timed_out + byStatus.dead_lettered;
}

export class ExecutionRepository {
  readonly #db: Db;
  readonly #backlog: Recent<Backlog>;

  constructor(db: Db) {
    this.#db = db;
    this.#backlog = new Recent(() => laneBacklog(db), { maxAgeMs: BACKLOG_MAX_AGE_MS, isCostly: isLarge });
  }

  /**
   * Counts, rates and percentiles of the runs submitted in the last `hours` hours; of one namespace, or of all.
   * @throws ValidationError for a window that is not allowed.
   */
  async stats(hours = 24, namespace?: string): Promise<WindowStats> {
    checkHours(hours);
    return runStats(this.#db, hours, undefined, namespace);
  }

  /**
   * The same for each handler, those with the most runs first.
   * @throws ValidationError for a window that is not allowed.
   */
  async handlerStats(hours = 24, namespace?: string): Promise<HandlerWindowStats> {
    checkHours(hours);
    return handlerStats(this.#db, hours, undefined, namespace);
  }

  /**
   * The last `hours` hours in buckets, empty ones too.
   * @throws ValidationError for a window that is not allowed, or more than {@link MAX_BUCKETS} buckets.
   */
  async timeline(hours = 24, bucketMinutes: BucketMinutes = 60, namespace?: string): Promise<Timeline> {
    checkHours(hours);
    const buckets = Math.ceil((hours * 60) / bucketMinutes);
    if (buckets > MAX_BUCKETS) {
      throw outOfRange('bucket_minutes', bucketMinutes, `a width that makes at most ${MAX_BUCKETS} buckets`);
    }
    return runTimeline(this.#db, hours, bucketMinutes, undefined, namespace);
  }

  /** Runs that have stood still for longer than `olderThanMs`, the longest first, at most `limit` (1 to 1,000). */
  staleRuns(olderThanMs = STALE_AFTER_MS, limit = STALE_LIMIT): Promise<StaleRun[]> {
    return staleRuns(this.#db, olderThanMs, Math.min(Math.max(1, limit), STALE_LIMIT));
  }

  /**
   * Every lane that has work, a live worker or a pause, by name. With more than {@link SMALL_BACKLOG} runs waiting or running,
   * how many they are may be a second old.
   */
  async queues(): Promise<QueueState[]> {
    const [backlog, workers, paused] = await Promise.all([
      this.#backlog.get(),
      this.workers(),
      pausedLanes(asQueryable(this.#db)),
    ]);
    return queueStates(backlog, workers, paused);
  }

  /** Workers heard of in the last day. */
  workers(): Promise<WorkerRecord[]> {
    return listWorkers(this.#db);
  }

  /** How well the engine does; see {@link scoreHealth}. */
  async health(): Promise<Health> {
    const [queues, workers, groups, { byStatus, attempts, crashes }] = await Promise.all([
      this.queues(),
      this.workers(),
      deadLetterGroups(this.#db, 1),
      this.stats(1),
    ]);
    const failed = byStatus.failed + byStatus.timed_out + byStatus.dead_lettered;
    const hour = { ended: byStatus.completed + failed, failed, attempts, crashes };
    return scoreHealth(await this.#facts(queues, workers, hour, deadLetterStats(1, groups).pending));
  }

  /** All of the above at a glance. One question after the other: together they would keep other readers waiting. */
  async dashboard(): Promise<Dashboard> {
    const { window, runs, handlers, lastHour } = await windowOverview(this.#db, 24, DASHBOARD_RUNS);
    const queues = await this.queues();
    const workers = await this.workers();
    const deadLetters = deadLetterStats(30, await deadLetterGroups(this.#db, 30));
    const live = workers.filter((worker) => worker.isLive);
    return {
      health: scoreHealth(await this.#facts(queues, workers, lastHour, deadLetters.pending)),
      runs: { window, ...runs },
      failingHandlers: handlers
        .filter((handler) => failuresOf(handler) > 0)
        .sort((a, b) => failuresOf(b) - failuresOf(a))
        .slice(0, FAILING_HANDLERS),
      queues,
      workers: {
        live: live.length,
        draining: workers.filter((worker) => worker.status === 'draining').length,
        slots: live.reduce((sum, worker) => sum + worker.slots, 0),
        running: live.reduce((sum, worker) => sum + worker.running, 0),
      },
      deadLetters,
    };
  }

  /**
   * Deletes runs that ended more than `olderThanDays` (a whole number, at least 1) days ago with what belongs to them,
   * batch by batch, until nothing old is left or the signal aborts; answers what was deleted.
   *
   * @throws ValidationError for a period that is not allowed.
   */
  async cleanUp(olderThanDays: number, signal?: AbortSignal): Promise<PurgeCounts> {
    if (!Number.isInteger(olderThanDays) || olderThanDays < 1 || olderThanDays > 36_500) {
      throw outOfRange('older_than_days', olderThanDays, 'a whole number from 1 to 36500');
    }
    const db = asQueryable(this.#db);
    const total = { runs: 0, events: 0, logs: 0, payloads: 0, deadLetters: 0 };
    for (let after: string | null = FIRST_RUN_ID; after !== null && signal?.aborted !== true;) {
      const batch = await purgeRuns(db, { olderThanDays, afterRunId: after, batch: PURGE_BATCH });
      total.runs += batch.runs;
      total.events += batch.events;
      total.logs += batch.logs;
      total.payloads += batch.payloads;
      total.deadLetters += batch.deadLetters;
      after = batch.lastRunId;
    }
    return total;
  }

  async #facts(
    queues: readonly QueueState[],
    workers: readonly WorkerRecord[],
    lastHour: LastHour,
    pendingDeadLetters: number,
  ): Promise<HealthFacts> {
    const stale = await this.staleRuns();
    const open = queues.filter((queue) => queue.paused === null);
    const due = (of: readonly QueueState[]): number => of.reduce((sum, queue) => sum + queue.due, 0);
    return {
      ...lastHour,
      pendingDeadLetters,
      staleWaiting: stale.filter((run) => run.reason === 'waiting').length,
      staleRunning: stale.filter((run) => run.reason !== 'waiting').length,
      due: due(open),
      dueUnserved: due(open.filter((queue) => queue.workers === 0)),
      oldestDueSeconds: Math.max(0, ...open.map((queue) => queue.oldestDueAgeMs ?? 0)) / 1000,
      liveWorkers: workers.filter((worker) => worker.isLive).length,
    };
  }
}
