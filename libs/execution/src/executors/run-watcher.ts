/**
 * Waits for any number of runs with one question at a time.
 *
 * 1. However many wait, one query at most is under way, for at most 500 runs. 2. It asks often while few wait and things
 * happen, and never for more than a third of the time. 3. A database that cannot be reached makes a wait longer; any other
 * fault ends it. 4. A run that does not exist ends its wait as well: nobody waits for nothing.
 */
import { classifySqlFault, finishedRuns, knownRuns } from '@spine/database';
import type { Queryable, RunRecord } from '@spine/database';
import type { Logger } from '@spine/observability';

/** How a wait ended: with the finished run, for lack of such a run, or because nobody asks any more. */
export type Watched = RunRecord | 'missing' | 'closed';

export interface Watch {
  readonly ended: Promise<Watched>;
  /** Ends the interest; `ended` may stay open for ever. */
  stop(): void;
}

interface Waiter {
  readonly resolve: (watched: Watched) => void;
  readonly reject: (error: unknown) => void;
}

const CHUNK = 500;
const MIN_PAUSE_MS = 5;
const MAX_PAUSE_MS = 250;
const AWAY_PAUSE_MS = 1_000;

export class RunWatcher {
  readonly #db: Queryable;
  readonly #logger: Logger;
  readonly #waiting = new Map<string, Set<Waiter>>();
  /** Ids that have not been looked for yet. */
  readonly #fresh = new Set<string>();
  #timer: NodeJS.Timeout | null = null;
  #dueAt = Infinity;
  #looking = false;
  #pauseMs = MIN_PAUSE_MS;
  #closed = false;

  constructor(db: Queryable, logger: Logger) {
    this.#db = db;
    this.#logger = logger;
  }

  /** Runs that are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  watch(runId: string): Watch {
    let waiter: Waiter | null = null;
    const ended = new Promise<Watched>((resolve, reject) => {
      if (this.#closed) {
        resolve('closed');
        return;
      }
      waiter = { resolve, reject };
      const waiters = this.#waiting.get(runId);
      if (waiters === undefined) {
        this.#waiting.set(runId, new Set([waiter]));
        this.#fresh.add(runId);
      } else waiters.add(waiter);
      this.#lookWithin(this.#shortestPause());
    });
    return {
      ended,
      stop: () => {
        const waiters = this.#waiting.get(runId);
        if (waiter === null || waiters === undefined) return;
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiting.delete(runId);
      },
    };
  }

  /** Ends every wait. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const runId of [...this.#waiting.keys()]) this.#end(runId, 'closed');
  }

  /** The more wait, the less a single one minds. */
  #shortestPause(): number {
    return Math.min(Math.max(MIN_PAUSE_MS, this.#waiting.size / 10), MAX_PAUSE_MS);
  }

  #lookWithin(ms: number): void {
    const dueAt = performance.now() + ms;
    if (this.#looking || this.#closed || dueAt >= this.#dueAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => void this.#lookAtAll(), ms);
  }

  async #lookAtAll(): Promise<void> {
    this.#looking = true;
    this.#dueAt = Infinity;
    const started = performance.now();
    let found = 0;
    try {
      const ids = [...this.#waiting.keys()];
      for (let at = 0; at < ids.length; at += CHUNK) found += await this.#look(ids.slice(at, at + CHUNK));
      const took = performance.now() - started;
      this.#pauseMs = found > 0 ? this.#shortestPause() : Math.min(this.#pauseMs * 1.6, MAX_PAUSE_MS);
      this.#pauseMs = Math.max(this.#pauseMs, this.#shortestPause(), took * 2);
    } catch (error) {
      const fault = classifySqlFault(error);
      if (fault === 'connection' || fault === 'conflict') {
        this.#logger.warn({ err: error }, 'the database cannot be asked for runs that are waited for');
        this.#pauseMs = AWAY_PAUSE_MS;
      } else this.#failAll(error);
    }
    this.#looking = false;
    if (this.#waiting.size > 0)
      this.#lookWithin(this.#fresh.size > 0 ? this.#shortestPause() : this.#pauseMs);
  }

  /** Ends the waits of those that have ended, or that do not exist; answers how many. */
  async #look(ids: readonly string[]): Promise<number> {
    const fresh = ids.filter((id) => this.#fresh.has(id));
    const finished = await finishedRuns(this.#db, ids);
    for (const run of finished) this.#end(run.runId, run);
    const ended = new Set(finished.map(({ runId }) => runId));
    const unsure = fresh.filter((id) => !ended.has(id));
    if (unsure.length > 0) {
      const known = await knownRuns(this.#db, unsure);
      for (const id of unsure) if (!known.has(id)) this.#end(id, 'missing');
    }
    for (const id of fresh) this.#fresh.delete(id);
    return finished.length;
  }

  #end(runId: string, watched: Watched): void {
    for (const waiter of this.#take(runId)) waiter.resolve(watched);
  }

  #failAll(error: unknown): void {
    for (const runId of [...this.#waiting.keys()])
      for (const waiter of this.#take(runId)) waiter.reject(error);
  }

  #take(runId: string): ReadonlySet<Waiter> {
    const waiters = this.#waiting.get(runId) ?? new Set();
    this.#waiting.delete(runId);
    this.#fresh.delete(runId);
    return waiters;
  }
}
