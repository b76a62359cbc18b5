import { ValidationError } from '../errors/permanent.ts';

/** One period of a window with what was found for it. */
export interface PeriodValue<P, V> {
  readonly period: P;
  /** 0 is the oldest period of the window: where the value stands on the time axis, gaps counted. */
  readonly position: number;
  readonly value: V;
}

/** What a rolling computation found, and of how much data. Report `aggregates` where `isComplete` only. */
export interface RollingResult<P, A> {
  /** Null when no period had data. */
  readonly aggregates: A | null;
  readonly periodsPresent: number;
  /** The size of the window. */
  readonly periodsTotal: number;
  /** Whether every period had data. */
  readonly isComplete: boolean;
  /** The periods without data, oldest first. */
  readonly missing: readonly P[];
}

/**
 * A window of `size` periods that ends with a given one: weeks, months, days, whatever `stepBack` walks over. Where the
 * data comes from (`fetch`) and what is made of it (`aggregate`) are the caller's.
 */
export class RollingWindow<P> {
  readonly size: number;
  readonly #stepBack: (period: P) => P;

  /** `size` is a whole number from 1 to 10,000; throws ValidationError otherwise. */
  constructor(window: { readonly size: number; readonly stepBack: (period: P) => P }) {
    if (!(Number.isInteger(window.size) && window.size >= 1 && window.size <= MAX_SIZE)) {
      throw new ValidationError(
        `size: ${window.size} is not a number of periods; allowed are whole numbers from 1 to ${MAX_SIZE}`,
      );
    }
    this.size = window.size;
    this.#stepBack = window.stepBack;
    Object.freeze(this);
  }

  /** The periods that end with `asOf`, oldest first. */
  periods(asOf: P): readonly P[] {
    const periods = [asOf];
    for (let period = asOf; periods.length < this.size; periods.push(period)) period = this.#stepBack(period);
    return periods.reverse();
  }

  /**
   * Fetches each period, oldest first, and aggregates those that had data. Null and undefined are gaps; zero is data.
   * `aggregate` is not called without any data. Throws what `fetch` and `aggregate` throw: a failure is no gap.
   */
  compute<V, A>(
    asOf: P,
    fetch: (period: P) => V | null | undefined,
    aggregate: (present: readonly PeriodValue<P, V>[]) => A,
  ): RollingResult<P, A> {
    const periods = this.periods(asOf);
    return summarize(periods, periods.map(fetch), aggregate);
  }

  /** The same with data that has to be waited for; one period at a time, so that one connection is enough. */
  async computeAsync<V, A>(
    asOf: P,
    fetch: (period: P) => Promise<V | null | undefined>,
    aggregate: (present: readonly PeriodValue<P, V>[]) => A,
  ): Promise<RollingResult<P, A>> {
    const periods = this.periods(asOf);
    const values: (V | null | undefined)[] = [];
    for (const period of periods) values.push(await fetch(period));
    return summarize(periods, values, aggregate);
  }
}

const MAX_SIZE = 10_000;

function summarize<P, V, A>(
  periods: readonly P[],
  values: readonly (V | null | undefined)[],
  aggregate: (present: readonly PeriodValue<P, V>[]) => A,
): RollingResult<P, A> {
  const present: PeriodValue<P, V>[] = [];
  const missing: P[] = [];
  periods.forEach((period, position) => {
    const value = values[position];
    if (value === null || value === undefined) missing.push(period);
    else present.push({ period, position, value });
  });
  return {
    aggregates: present.length === 0 ? null : aggregate(present),
    periodsPresent: present.length,
    periodsTotal: periods.length,
    isComplete: missing.length === 0,
    missing,
  };
}
