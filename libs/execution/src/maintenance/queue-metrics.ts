/**
 * The state of the lanes, the dead letters and what workflows have to be told as metrics, counted in Postgres.
 *
 * 1. What a look costs does not grow with the backlog: of every lane 10,000 runs are counted, no more. Where that still
 * takes long, the pause after it grows: counting takes a twentieth of the time at the most.
 * 2. There are as many series as operators have made lanes: those this process is configured with, then those a live
 * worker serves, {@link MAX_LANES} in all. Whatever other names submitters have used adds up to `other`.
 * 3. Several schedulers tell the same: take the maximum over them, not the sum.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { listDeadLetters, workflowInboxDepth } from '@spine/database';
import type { Db } from '@spine/database';
import type { LaneReading, Logger, Metrics } from '@spine/observability';
import { ExecutionRepository } from '../analytics/execution-repository.ts';
import type { QueueState } from '../analytics/queues.ts';
import { Ticker } from './ticker.ts';

export interface QueueMetricsOptions {
  readonly db: Db;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Lanes that always have a series. */
  readonly lanes: readonly string[];
  /** Default 15 s. */
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
/** Pauses are this many times as long as the counts between them. */
const PAUSE_FACTOR = 19;

/** Lanes with a series of their own, at the most. */
export const MAX_LANES = 50;
const OTHER = 'other';

const EMPTY = { waiting: 0, due: 0, running: 0, oldestDueSeconds: 0, paused: false, workers: 0 } as const;

function toReading(state: QueueState): LaneReading {
  const { lane, waiting, due, running, workers } = state;
  const oldestDueSeconds = Math.max(0, state.oldestDueAgeMs ?? 0) / 1000;
  return { lane, waiting, due, running, workers, oldestDueSeconds, paused: state.paused !== null };
}

function together(a: LaneReading, b: LaneReading): LaneReading {
  return {
    lane: a.lane,
    waiting: a.waiting + b.waiting,
    due: a.due + b.due,
    running: a.running + b.running,
    workers: a.workers + b.workers,
    oldestDueSeconds: Math.max(a.oldestDueSeconds, b.oldestDueSeconds),
    paused: a.paused || b.paused,
  };
}

/** One reading for each known lane, and one for all others. */
export function laneReadings(states: readonly QueueState[], configured: readonly string[]): LaneReading[] {
  const served = states.filter(({ workers }) => workers > 0).map(({ lane }) => lane);
  const known = [...new Set([...configured, ...served])].slice(0, MAX_LANES);
  const readings = new Map<string, LaneReading>(known.map((lane) => [lane, { lane, ...EMPTY }]));
  let others: LaneReading = readings.get(OTHER) ?? { lane: OTHER, ...EMPTY };
  for (const state of states) {
    if (state.lane !== OTHER && readings.has(state.lane)) readings.set(state.lane, toReading(state));
    else others = together(others, toReading(state));
  }
  return [...readings.set(OTHER, others).values()];
}

/** What the usual pause lacks after a count that took so long. */
export function extraPauseMs(tookMs: number, everyMs: number): number {
  return Math.max(0, tookMs * PAUSE_FACTOR - everyMs);
}

/** The service that counts. */
export function createQueueMetrics(options: QueueMetricsOptions): Ticker {
  const { db, logger, metrics, lanes, everyMs = EVERY_MS } = options;
  const repository = new ExecutionRepository(db);
  return new Ticker({
    name: 'queue metrics',
    everyMs,
    logger,
    tick: async (signal) => {
      const from = performance.now();
      metrics.lanes.set(laneReadings(await repository.queues(), lanes));
      const pending = await listDeadLetters(db, { resolved: false }, { limit: 0, offset: 0 });
      metrics.pendingDeadLetters.set(pending.total);
      metrics.workflows.setInbox(await workflowInboxDepth(db));
      const longer = extraPauseMs(performance.now() - from, everyMs);
      await sleep(longer, undefined, { signal }).catch(() => undefined);
      return false;
    },
  });
}
