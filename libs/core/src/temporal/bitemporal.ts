/**
 * Facts on two time axes: when they hold in the world (valid) and when we believed it (system).
 *
 * 1. Nothing is overwritten. What is superseded keeps its valid interval and gets an end on the system axis.
 * 2. Of one key at most one thing is believed at any point of both axes.
 * 3. System intervals begin at the instant of a change, and changes of one key have growing instants.
 */
import { ValidationError } from '../errors/permanent.ts';

/** A stretch of time, from inclusive to exclusive; a null end is open. */
export interface Interval {
  readonly from: Date;
  readonly to: Date | null;
}

/** One belief: this payload, for that stretch of the world's time, during that stretch of ours. */
export interface BiTemporalRecord<T> {
  readonly validFrom: Date;
  readonly validTo: Date | null;
  readonly systemFrom: Date;
  /** Null: believed now. */
  readonly systemTo: Date | null;
  /** Which change of its key brought it, from 1. */
  readonly version: number;
  readonly payload: T;
}

/** What is now to be believed of a stretch of time. */
export type BiTemporalChange<T> =
  | { readonly type: 'assert'; readonly valid: Interval; readonly payload: T }
  /** Nothing is known of it any more. */
  | { readonly type: 'retract'; readonly valid: Interval };

export type SupersedePlan<T, R extends BiTemporalRecord<T>> =
  /** Exactly that is believed already, without a seam or with one: there is nothing to write. */
  | { readonly type: 'unchanged' }
  | {
      readonly type: 'change';
      /** To be closed at the instant of the change. */
      readonly close: readonly R[];
      /** To be appended: what is left of the closed ones to both sides, and what is asserted, in order of time. */
      readonly append: readonly Remainder<T, R>[];
    };

export type Remainder<T, R extends BiTemporalRecord<T>> =
  | { readonly type: 'asserted'; readonly valid: Interval; readonly payload: T }
  /** What goes on being believed of a closed record, for less time. */
  | { readonly type: 'kept'; readonly valid: Interval; readonly of: R };

/**
 * The interval between two instants.
 *
 * @throws ValidationError for an invalid Date or an interval that is empty or turned round.
 */
export function timeInterval(from: Date, to: Date | null, field = 'valid'): Interval {
  const refuse = (which: string, message: string): never => {
    throw new ValidationError(`${field}_${which}: ${message}`, {
      issues: [{ field: `${field}_${which}`, code: 'invalid_interval', message }],
    });
  };
  if (Number.isNaN(from.getTime())) refuse('from', 'must be a valid instant');
  if (to !== null && Number.isNaN(to.getTime())) refuse('to', 'must be a valid instant or null');
  if (to !== null && to <= from) {
    refuse('to', `given ${to.toISOString()}; allowed: later than ${from.toISOString()}, or null for no end`);
  }
  return { from, to };
}

/** Whether `instant` is in the interval. */
export function intervalContains({ from, to }: Interval, instant: Date): boolean {
  return from <= instant && (to === null || instant < to);
}

export function intervalsOverlap(a: Interval, b: Interval): boolean {
  return (b.to === null || a.from < b.to) && (a.to === null || b.from < a.to);
}

export function validInterval(record: BiTemporalRecord<unknown>): Interval {
  return { from: record.validFrom, to: record.validTo };
}

export function systemInterval(record: BiTemporalRecord<unknown>): Interval {
  return { from: record.systemFrom, to: record.systemTo };
}

/** What was believed at `systemAt` about `validAt`; null when nothing was. */
export function recordAsOf<R extends BiTemporalRecord<unknown>>(
  records: Iterable<R>,
  validAt: Date,
  systemAt: Date,
): R | null {
  for (const record of records) {
    if (
      intervalContains(validInterval(record), validAt) &&
      intervalContains(systemInterval(record), systemAt)
    )
      return record;
  }
  return null;
}

/**
 * How to make `change` believed, given what is believed now of its key. A correction of part of an interval splits it:
 * the parts outside go on as they were.
 *
 * @param current records with an open system interval; others, and those outside the change, are left alone.
 * @param same whether two payloads say the same.
 */
export function planSupersede<T, R extends BiTemporalRecord<T>>(
  current: Iterable<R>,
  change: BiTemporalChange<T>,
  same: (a: T, b: T) => boolean,
): SupersedePlan<T, R> {
  const touched = [...current]
    .filter((record) => record.systemTo === null && intervalsOverlap(validInterval(record), change.valid))
    .sort((a, b) => a.validFrom.getTime() - b.validFrom.getTime());
  if (isBelieved(touched, change, same)) return { type: 'unchanged' };
  const append: Remainder<T, R>[] = [];
  const first = touched[0];
  if (first !== undefined && first.validFrom < change.valid.from) {
    append.push({ type: 'kept', valid: { from: first.validFrom, to: change.valid.from }, of: first });
  }
  if (change.type === 'assert') {
    append.push({ type: 'asserted', valid: change.valid, payload: change.payload });
  }
  const last = touched.at(-1);
  const end = change.valid.to;
  if (last !== undefined && end !== null && (last.validTo === null || last.validTo > end)) {
    append.push({ type: 'kept', valid: { from: end, to: last.validTo }, of: last });
  }
  return { type: 'change', close: touched, append };
}

function isBelieved<T, R extends BiTemporalRecord<T>>(
  touched: readonly R[],
  change: BiTemporalChange<T>,
  same: (a: T, b: T) => boolean,
): boolean {
  if (change.type === 'retract') return touched.length === 0;
  let reached: Date | null = change.valid.from;
  for (const record of touched) {
    if (reached === null || record.validFrom > reached || !same(record.payload, change.payload)) return false;
    reached = record.validTo;
  }
  return touched.length > 0 && (reached === null || (change.valid.to !== null && reached >= change.valid.to));
}

/**
 * The history of one key after `change` at `systemAt`: the pure form of what the store does.
 *
 * @param history every record of the key, closed ones too.
 * @throws ValidationError when `systemAt` is not later than every change before it.
 */
export function supersede<T>(
  history: readonly BiTemporalRecord<T>[],
  change: BiTemporalChange<T>,
  systemAt: Date,
  same: (a: T, b: T) => boolean = Object.is,
): readonly BiTemporalRecord<T>[] {
  const changedAt = history.flatMap(({ systemFrom, systemTo }) => [
    systemFrom,
    ...(systemTo === null ? [] : [systemTo]),
  ]);
  if (changedAt.some((instant) => instant >= systemAt)) {
    const message = `given ${systemAt.toISOString()}; allowed: later than every change before`;
    throw new ValidationError(`system_at: ${message}`, {
      issues: [{ field: 'system_at', code: 'not_later', message }],
    });
  }
  const plan = planSupersede(history, change, same);
  if (plan.type === 'unchanged') return history;
  const closed = new Set(plan.close);
  const version = Math.max(0, ...history.map((record) => record.version)) + 1;
  return [
    ...history.map((record) => (closed.has(record) ? { ...record, systemTo: systemAt } : record)),
    ...plan.append.map((part) => ({
      validFrom: part.valid.from,
      validTo: part.valid.to,
      systemFrom: systemAt,
      systemTo: null,
      version,
      payload: part.type === 'asserted' ? part.payload : part.of.payload,
    })),
  ];
}
