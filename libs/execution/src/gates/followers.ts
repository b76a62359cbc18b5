/**
 * Has the next of a line follow in a place as soon as the run that held it has ended, in the worker where it ended: without
 * a hint, a fetch and a decision under locks.
 *
 * 1. A run follows only into a free slot; hints that wait for slots get theirs first. 2. One look and one claim at a time,
 * for all places that were freed meanwhile. 3. Places in which nobody follows here are told about the ordinary way:
 * whatever goes wrong here makes a run late, never lost. 4. A claim without an answer is sent again, which claims nothing
 * where the first did, and then what this worker holds of its runs is looked for; each is executed once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  afterGateLocks,
  claimAtVersions,
  classifySqlFault,
  decideSuccession,
  lineHeads,
} from '@spine/database';
import type {
  ClaimedRun,
  Gate,
  GatedCandidate,
  GateKey,
  Queryable,
  Succession,
  SuccessorOptions,
} from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { Slots } from '../worker/slots.ts';
import type { UnansweredClaims } from '../worker/unanswered-claims.ts';

export interface FollowersOptions extends SuccessorOptions {
  readonly db: Queryable;
  readonly gatesOf: (run: Omit<GatedCandidate, 'runId'>) => readonly Gate[] | null;
  readonly slots: Slots;
  readonly unanswered: UnansweredClaims;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** False for a worker that stops, or may have lost its leases. */
  readonly mayStart: () => boolean;
  /** Executes a run and frees the slot that was taken for it. */
  readonly execute: (run: ClaimedRun, askedAt: number) => void;
  /** Told of places in which nobody follows here. */
  readonly onFree: (gates: readonly GateKey[]) => void;
}

/** Keys of one look; others have the next. */
const MOST_KEYS = 100;
/** Looks at keys about which others decide at the same time, before their lines are told. */
const TRIES = 4;

export class Followers {
  readonly #options: FollowersOptions;
  /** Since the last look. */
  readonly #freed = new Set<string>();
  #rounds: Promise<void> | null = null;

  constructor(options: FollowersOptions) {
    this.#options = options;
  }

  /** Runs that held places under these keys have ended. */
  freed(keys: readonly string[]): void {
    for (const key of keys) this.#freed.add(key);
    if (this.#freed.size > 0) this.#rounds ??= this.#run();
  }

  /** Resolves when no look and no claim is under way. */
  async drain(): Promise<void> {
    while (this.#rounds !== null) await this.#rounds;
  }

  async #run(): Promise<void> {
    // A turn later, so that what ends together is followed together.
    await Promise.resolve();
    while (this.#freed.size > 0) {
      const keys = [...this.#freed].slice(0, MOST_KEYS);
      for (const key of keys) this.#freed.delete(key);
      const open = await this.#giveOn(keys).catch((error: unknown) => {
        this.#options.logger.debug({ err: error }, 'places could not be given on; their lines are told');
        return keys;
      });
      if (open.length > 0) this.#options.onFree(open.map((key) => ({ type: 'concurrency', key })));
    }
    this.#rounds = null;
  }

  /** Starts who follows under the keys. @returns those with places in which nobody does. */
  async #giveOn(keys: readonly string[]): Promise<readonly string[]> {
    const open: string[] = [];
    let left = keys;
    for (let tried = 0; tried < TRIES && left.length > 0; tried += 1) {
      const followed = await this.#follow(left);
      open.push(...followed.open);
      left = followed.missed;
    }
    return [...open, ...left];
  }

  /** @returns besides keys with places that are open those about which somebody else has decided meanwhile. */
  async #follow(
    keys: readonly string[],
  ): Promise<{ readonly open: readonly string[]; readonly missed: readonly string[] }> {
    const { db, slots, mayStart, gatesOf, execute, metrics } = this.#options;
    if (!mayStart() || slots.free === 0) return { open: keys, missed: [] };
    const heads = await lineHeads(db, keys, this.#options);
    const known = new Set(heads.map(({ key }) => key));
    // The row of a gate is swept while its places are held for long; its line may wait all the same.
    const unknown = keys.filter((key) => !known.has(key));
    const waiting = heads.reduce((sum, { line }) => sum + line.length, 0);
    const taken = mayStart() ? slots.take(waiting) : 0;
    let unused = taken;
    try {
      const succession = decideSuccession(heads, gatesOf, taken);
      const { runs } = succession;
      const open = [...unknown, ...succession.open];
      slots.release(taken - runs.length);
      unused = runs.length;
      if (runs.length === 0) return { open, missed: [] };
      const askedAt = performance.now();
      const claimed = await this.#claim(succession, askedAt);
      unused -= claimed.length;
      metrics.claimed.inc(claimed.length);
      for (const run of claimed) execute(run, askedAt);
      const started = new Set(claimed.map(({ runId }) => runId));
      const missed = new Set(runs.flatMap((run) => (started.has(run.runId) ? [] : run.keys)));
      return { open: open.filter((key) => !missed.has(key)), missed: [...missed] };
    } finally {
      slots.release(unused);
    }
  }

  async #claim({ runs, versions }: Succession, askedAt: number): Promise<readonly ClaimedRun[]> {
    const { db, unanswered, leaseMs } = this.#options;
    const send = (): Promise<readonly ClaimedRun[]> => claimAtVersions(db, runs, versions, this.#options);
    let ambiguous = false;
    for (let tried = 0; ; tried += 1) {
      try {
        const claimed = await send();
        if (!ambiguous) return unanswered.others(claimed);
        // The first may still be at work: it holds the gates' locks until nobody can ask what it has done.
        await afterGateLocks(
          db,
          versions.map(({ key }) => ({ type: 'concurrency', key })),
        );
        return await unanswered.find(runs.map(({ runId }) => runId));
      } catch (error) {
        const inTime = performance.now() - askedAt < leaseMs;
        if (classifySqlFault(error) !== 'connection' || !inTime) throw error;
        ambiguous = true;
        await sleep(Math.min(50 * 2 ** tried, 2_000));
      }
    }
  }
}
