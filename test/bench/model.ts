export interface BenchEnvironment {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Key prefix of one measurement; no two share keys. */
  readonly prefix: string;
  /** Empties the run tables and brings their statistics up to date. */
  resetTables(): Promise<void>;
  /** A short pause between idle samples, so that they do not overlap. */
  settle(): Promise<void>;
}

/** Jobs per second. */
export interface Phases {
  readonly submit: number;
  readonly drain: number;
  readonly endToEnd: number;
}

/** Milliseconds. */
export interface IdleLatency {
  readonly p50: number;
  readonly p99: number;
}
