import type { PlainDate } from '@spine/core';

export const SCHEDULE_TYPES = ['cron', 'interval', 'date', 'calendar'] as const;
export type ScheduleType = (typeof SCHEDULE_TYPES)[number];

export const CALENDAR_PERIODS = ['day', 'week', 'month', 'quarter', 'year'] as const;
export type CalendarPeriod = (typeof CALENDAR_PERIODS)[number];

/** A trading day of an exchange: the `nth` of each period, counted from its end when negative (-1 is the last). */
export interface CalendarRule {
  readonly exchange: string;
  readonly period: CalendarPeriod;
  readonly nth: number;
  /** Local time, HH:MM. */
  readonly at: string;
}

/** Dates on which nothing fires, both included, as the schedule's zone counts days. */
export interface Exclusion {
  readonly from: PlainDate;
  readonly to: PlainDate;
}

export type Rule =
  | { readonly type: 'cron'; readonly expression: string }
  /** Every so many seconds, counted from `anchor`. */
  | { readonly type: 'interval'; readonly seconds: number; readonly anchor: Date }
  | { readonly type: 'date'; readonly runAt: Date }
  | { readonly type: 'calendar'; readonly rule: CalendarRule };

/** When a schedule fires. */
export interface Timing {
  readonly rule: Rule;
  readonly timeZone: string;
  /** Nothing fires before; null for no bound. */
  readonly startsAt: Date | null;
  /** Nothing fires from then on; null for no bound. */
  readonly endsAt: Date | null;
  readonly exclusions: readonly Exclusion[];
}
