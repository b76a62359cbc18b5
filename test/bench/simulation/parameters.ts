/**
 * What the model knows of the world. Times are milliseconds. The costs were measured on the benchmark's machine (one core
 * of it does one millisecond of work in a millisecond); `npm run bench -- cost` measures the ones of a run again.
 */

/** CPU of a statement in Postgres: once, and for each run in it. */
export interface StatementCost {
  readonly once: number;
  readonly each: number;
  /** Bytes of write-ahead log a run; 0 for a statement that writes nothing. */
  readonly log: number;
}

export interface Costs {
  readonly insert: StatementCost;
  readonly claim: StatementCost;
  readonly settle: StatementCost;
  /** `each` is a lease held. */
  readonly heartbeat: StatementCost;
  /** A worker looks for runs that no hint brought. */
  readonly poll: StatementCost;
  /** A worker looks which lanes are paused, and which breakers are open. */
  readonly control: StatementCost;
  /** `each` is a run hinted again. */
  readonly relay: StatementCost;
  /** Until the log is on disk: once, and for each KiB. Commits that wait together share one flush. */
  readonly flush: { readonly once: number; readonly eachKiB: number };
  /** Between two processes, one way. */
  readonly network: number;
  /** CPU of Redis for adding, fetching and finishing a hint, and for each run id in it. */
  readonly redisHint: number;
  readonly redisId: number;
  /** CPU of the worker's process for a claimed and settled run. */
  readonly workerRun: number;
  /** CPU of the submitting process for a run. */
  readonly submitRun: number;
}

export const MEASURED: Costs = {
  insert: { once: 0.3, each: 0.0105, log: 560 },
  claim: { once: 0.28, each: 0.0145, log: 750 },
  settle: { once: 0.28, each: 0.0145, log: 720 },
  heartbeat: { once: 0.2, each: 0.009, log: 300 },
  poll: { once: 0.12, each: 0, log: 0 },
  control: { once: 0.05, each: 0, log: 0 },
  relay: { once: 0.15, each: 0.012, log: 300 },
  flush: { once: 0.3, eachKiB: 0.003 },
  network: 0.1,
  redisHint: 0.2,
  redisId: 0.0005,
  workerRun: 0.018,
  submitRun: 0.015,
};

export interface Scenario {
  readonly seed: number;
  readonly workers: number;
  /** Of one worker. */
  readonly slots: number;
  /** Processes that accept submits; runs are spread over them evenly. */
  readonly submitters: number;
  /** Runs a second, at random moments. */
  readonly arrivals: number;
  /** Mean time of a handler; single ones vary between half and one and a half of it. */
  readonly handlerMs: number;
  readonly postgresCores: number;
  /** Simulated time, after which arrivals end. */
  readonly seconds: number;
  /** Until then the system fills; nothing is counted. */
  readonly warmUpSeconds: number;
  readonly costs: Costs;
}

/** The engine's own periods and limits. */
export const ENGINE = {
  heartbeatMs: 10_000,
  pollMs: 5_000,
  /** Overdue runs, overdue runs with gates, runs whose gate may be open again. */
  pollStatements: 3,
  controlMs: 10_000,
  /** Paused lanes and breakers. */
  controlStatements: 2,
  relayMs: 1_000,
  relayBatch: 500,
  /** A hint that is not stored by then is given up, and none is sent for as long again. */
  publishTimeoutMs: 2_000,
  breakerMs: 2_000,
  pollLimit: 500,
  /** Pauses before the relay hints a run again: 15, 30, then always 60 s. */
  hintGraceMs: [15_000, 30_000, 60_000],
  maxItems: 500,
  exchangesInFlight: 2,
  insertsInFlight: 1,
} as const;
