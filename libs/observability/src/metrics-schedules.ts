import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/** What the scheduler does, by closed sets of words: no schedule's name is a label. */
export class ScheduleMetrics {
  readonly occurrences: Counter<'status'>;
  readonly lag: Histogram;
  readonly tickSeconds: Histogram;
  readonly broken: Counter;
  readonly overdue: Gauge;
  readonly drift: Gauge;
  readonly locks: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.occurrences = new Counter({
      name: 'spine_schedule_occurrences_total',
      help: 'Occurrences decided by this process: fired, skipped or missed.',
      labelNames: ['status'],
      registers,
    });
    this.lag = new Histogram({
      name: 'spine_schedule_lag_seconds',
      help: 'How late occurrences were fired, by the clock of the database.',
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600],
      registers,
    });
    this.tickSeconds = new Histogram({
      name: 'spine_schedule_tick_seconds',
      help: 'What a tick took that found something due.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    this.broken = new Counter({
      name: 'spine_schedules_broken_total',
      help: 'Schedules paused because nothing could be decided about them.',
      registers,
    });
    this.overdue = new Gauge({
      name: 'spine_schedules_overdue',
      help: 'Schedules that are due and that nobody has decided about for 5 s, counted up to 10,000.',
      registers,
    });
    this.drift = new Gauge({
      name: 'spine_clock_drift_seconds',
      help: 'Clock of this host minus clock of the database, as last compared.',
      registers,
    });
    this.locks = new Gauge({
      name: 'spine_locks_active',
      help: 'Locks whose lease is not over.',
      registers,
    });
  }
}
