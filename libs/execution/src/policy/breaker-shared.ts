/**
 * What all workers together know of their dependencies, as this process last heard it.
 *
 * 1. A call asks memory first; the database is asked only while a breaker is not closed and may be due for a try.
 * 2. Word of a change comes by notification, and with every heartbeat for when one is lost. 3. A database that cannot be
 * asked closes nothing and opens nothing: each process then goes by its own breakers.
 */
import { notableBreakers, openBreaker, probeBreaker, reportProbe } from '@spine/database';
import type { BreakerRecord, BreakerState, Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';

export type Permit =
  | { readonly type: 'closed' }
  /** An operator said that calls pass whatever fails. */
  | { readonly type: 'unguarded' }
  /** The caller is the one that tries. */
  | { readonly type: 'probe' }
  | { readonly type: 'refused'; readonly retryInMs: number | null };

export interface SharedBreakersOptions {
  /** Null: nothing is shared. */
  readonly db: Queryable | null;
  readonly logger: Logger;
  /** Who opens, as operators read it: `worker:<id>` or a service's name. */
  readonly by: string;
  readonly onChange: (name: string, state: BreakerState) => void;
}

interface Verdict {
  readonly record: BreakerRecord;
  /** By performance.now(): nobody may try before. */
  readonly retryAt: number;
}

export class SharedBreakers {
  readonly #options: SharedBreakersOptions;
  #verdicts = new Map<string, Verdict>();
  #refreshing: Promise<void> | null = null;
  #again = false;

  constructor(options: SharedBreakersOptions) {
    this.#options = options;
  }

  state(name: string): BreakerState {
    return this.#verdicts.get(name)?.record.state ?? 'closed';
  }

  /** Whether a call may be made. */
  async permit(name: string, owner: string): Promise<Permit> {
    const { db, logger } = this.#options;
    const verdict = this.#verdicts.get(name);
    if (db === null || verdict === undefined) return { type: 'closed' };
    const { state, forced, probeOwner } = verdict.record;
    if (state === 'closed') return { type: forced ? 'unguarded' : 'closed' };
    const left = verdict.retryAt - performance.now();
    if (left > 0 && probeOwner !== owner) {
      return { type: 'refused', retryInMs: Number.isFinite(left) ? Math.ceil(left) : null };
    }
    try {
      const outcome = await probeBreaker(db, name, owner);
      if (outcome.type !== 'probe') await this.refresh();
      return outcome;
    } catch (error) {
      logger.debug({ err: error, breaker: name }, 'the breaker could not be asked for');
      return { type: 'closed' };
    }
  }

  /** This process saw a dependency fail. */
  async opened(name: string, forMs: number, failures: number): Promise<void> {
    const { by } = this.#options;
    await this.#write(name, (db) => openBreaker(db, name, { forMs, failures, by, note: null }));
  }

  /** How a try went. */
  async tried(name: string, owner: string, succeeded: boolean, openForMs: number): Promise<void> {
    await this.#write(name, (db) => reportProbe(db, name, owner, succeeded, openForMs));
  }

  /** Reads the table again; keeps what it knew when the database cannot be asked. One read serves all who ask meanwhile. */
  refresh(): Promise<void> {
    if (this.#refreshing !== null) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #read(): Promise<void> {
    const { db, logger } = this.#options;
    if (db === null) return;
    do {
      this.#again = false;
      try {
        this.#take(await notableBreakers(db));
      } catch (error) {
        logger.debug({ err: error }, 'the breakers could not be read');
      }
    } while (this.#again);
  }

  #take(records: readonly BreakerRecord[]): void {
    const now = performance.now();
    const before = this.#verdicts;
    this.#verdicts = new Map(
      records.map((record) => [record.name, { record, retryAt: now + (record.retryInMs ?? Infinity) }]),
    );
    for (const name of new Set([...before.keys(), ...this.#verdicts.keys()])) {
      const state = this.state(name);
      if ((before.get(name)?.record.state ?? 'closed') !== state) this.#options.onChange(name, state);
    }
  }

  async #write(name: string, write: (db: Queryable) => Promise<boolean>): Promise<void> {
    const { db, logger } = this.#options;
    if (db === null) return;
    try {
      await write(db);
      await this.refresh();
    } catch (error) {
      logger.warn({ err: error, breaker: name }, 'the verdict on a dependency could not be shared');
    }
  }
}
