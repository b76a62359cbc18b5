/** What the suites, the contestants and the report say to each other. */

/** What a contestant is measured on. All of them share one Postgres and one Redis. */
export interface Environment {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Key prefix in Redis; no two measurements share one. */
  readonly prefix: string;
  /** Runs before every measured phase: no contestant pays for what another has left behind. */
  reset(): Promise<void>;
}

export interface Load {
  readonly jobs: number;
  /** Jobs that one worker process runs at the same time. */
  readonly slots: number;
}

/** Jobs per second. */
export interface Phases {
  /** Adding alone, no worker runs. */
  readonly submit: number;
  /** Working off what was added. */
  readonly drain: number;
  /** Adding and working at once, from the first call to the last durable completion. */
  readonly endToEnd: number;
}

export const PHASES = ['submit', 'drain', 'endToEnd'] as const satisfies readonly (keyof Phases)[];
export type Phase = (typeof PHASES)[number];

export const PHASE_TITLES: Readonly<Record<Phase, string>> = {
  submit: 'submit (in process)',
  drain: 'drain',
  endToEnd: 'end to end',
};

export interface Contestant {
  readonly name: string;
  /**
   * Measures the three phases in this process.
   * @throws VoidMeasurementError when the work was not all done.
   */
  measure(environment: Environment, load: Load): Promise<Phases>;
}

/** The rows do not add up: nothing that was measured counts. */
export class VoidMeasurementError extends Error {
  override readonly name = 'VoidMeasurementError';
}

/** Milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** What a figure should be. */
export interface Target {
  readonly at: 'least' | 'most';
  readonly value: number;
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  /** Printed after the value: `/s`, ` ms`, `x`, ` %`. */
  readonly unit: string;
  readonly target?: Target;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What a suite has found. */
export interface Section {
  readonly suite: string;
  readonly title: string;
  readonly tables: readonly Table[];
  readonly figures: readonly Figure[];
  /** How to read it: sizes, settings, what was left out. */
  readonly notes: readonly string[];
}
