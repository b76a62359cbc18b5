/** Told one short line per thing that takes a moment ("creating the database cluster"). */
export type OnProgress = (line: string) => void;

export interface EmbeddedPostgresOptions {
  /** The Postgres data directory, absolute or relative to the working directory. Created when missing. */
  readonly dataDir: string;
  /** Preferred TCP port; default the one used last time, else any free one. A taken one gives the next free one. */
  readonly port?: number;
  /**
   * Default true: fsync, full_page_writes and synchronous_commit are on, a committed run survives a power cut.
   * False turns all three off: only for tests, whose data may be lost.
   */
  readonly durable?: boolean;
  readonly onProgress?: OnProgress;
  /** Further server settings (postgresql.conf names and values); they win over the defaults but not over `durable`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Aborting it during the start ends the start: what was started is stopped, and the promise rejects. */
  readonly signal?: AbortSignal;
}

export interface EmbeddedPostgres {
  /** For role `spine` and database `spine`. Holds a password: not for logs. */
  readonly connectionString: string;
  /** For the superuser `postgres`, database `postgres`: for maintenance and tests, not for services. */
  readonly adminConnectionString: string;
  readonly port: number;
  /** The real data directory, absolute; differs from the asked one when it had to be relocated. */
  readonly dataDir: string;
  /** The server's log file. */
  readonly logFile: string;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** True when this start created the cluster, false when it found one with data. */
  readonly startedNew: boolean;
  /**
   * Stops the server and waits until its process is gone: a fast shutdown, an immediate one (recovered at the
   * next start, nothing committed is lost when durable) when that takes longer than `timeoutSeconds`
   * (default 8). May be called again and from several places; does nothing when the server is gone already.
   */
  stop(options?: { readonly timeoutSeconds?: number }): Promise<void>;
}
