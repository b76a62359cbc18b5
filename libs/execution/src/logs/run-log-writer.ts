/**
 * The log lines of a worker's handlers, on their way to their runs.
 *
 * 1. Nobody waits for a line: it is queued, and written with what else is there. 2. The queue is bounded; what does not
 * fit is dropped and counted, so that a database that is away costs lines and neither memory nor time. 3. A line is
 * written only while its attempt holds the run.
 */
import { appendRunLogs, GroupCommit } from '@spine/database';
import type { NewRunLog, Queryable } from '@spine/database';
import type { Metrics } from '@spine/observability';
import { AttemptLog } from './attempt-log.ts';
import type { AttemptInfo } from '../worker/context.ts';

export interface RunLogWriterOptions {
  readonly pool: Queryable;
  readonly metrics: Metrics;
  /** Least severe line that is stored: a pino level. Default `info`; `silent` stores none. */
  readonly level?: string | undefined;
  /** Lines of one attempt. Default 1,000. */
  readonly maxLines?: number;
  /** Bytes of one attempt's messages and fields. Default 256 KiB. */
  readonly maxBytes?: number;
  /** Lines that may wait to be written. Default 5,000. */
  readonly maxPending?: number;
}

/** Bytes that may wait to be written. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

export class RunLogWriter {
  readonly level: string;
  readonly maxLines: number;
  readonly maxBytes: number;
  readonly #maxPending: number;
  readonly #metrics: Metrics;
  readonly #commits: GroupCommit<NewRunLog, 'appended' | 'fenced'>;
  #pendingBytes = 0;

  constructor({ pool, metrics, level, maxLines, maxBytes, maxPending }: RunLogWriterOptions) {
    this.level = level ?? 'info';
    this.maxLines = maxLines ?? 1_000;
    this.maxBytes = maxBytes ?? 256 * 1024;
    this.#maxPending = maxPending ?? 5_000;
    this.#metrics = metrics;
    this.#commits = new GroupCommit({
      flush: (lines) => appendRunLogs(pool, lines),
      onFlush: metrics.commit('run_logs'),
    });
  }

  /** Whether anything is stored at all. */
  get enabled(): boolean {
    return this.level !== 'silent';
  }

  /** The log of an attempt. */
  open(attempt: Pick<AttemptInfo, 'runId' | 'epoch' | 'attempt'>): AttemptLog {
    return new AttemptLog(attempt, this);
  }

  /** Queues a line; resolves when it was written or refused, whatever came of it. Null when there is no room for it. */
  submit(line: NewRunLog, bytes: number): Promise<void> | null {
    if (this.#commits.pending >= this.#maxPending || this.#pendingBytes + bytes > MAX_PENDING_BYTES) {
      this.dropped('queue_full');
      return null;
    }
    this.#pendingBytes += bytes;
    return this.#commits.submit(line).then(
      (outcome) => {
        this.#pendingBytes -= bytes;
        this.#metrics.runLogLines.inc({ outcome: outcome === 'appended' ? 'stored' : 'fenced' });
      },
      () => {
        this.#pendingBytes -= bytes;
        this.#metrics.runLogLines.inc({ outcome: 'failed' });
      },
    );
  }

  dropped(why: 'queue_full' | 'over_limit'): void {
    this.#metrics.runLogLines.inc({ outcome: why });
  }
}
