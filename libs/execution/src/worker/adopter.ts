/**
 * Runs that a worker takes as they are stored: who starts them lives in its process, so that they need no hint, no fetch and
 * no claim of their own.
 *
 * 1. A slot is taken for each before it is stored, and freed again for one that was not stored as claimed. 2. Only what a
 * claim would let through without a look at anything else: known handlers, lanes of this worker that go, no gates, no times.
 * The statement looks at the lane once more. 3. Others get their turn: a quarter of the slots is left to what hints bring,
 * and of many runs a worker takes no more than its share among the lane's live workers. A run that was submitted comes
 * after hints of its lane that wait for slots, and goes through the queue when it is of low priority. 4. A worker that
 * stops, or may have lost its leases, takes nothing; what it has taken before that is executed or handed back like any other
 * run. 5. Where nobody knows whether they were stored, their rows say it; a run that is not found so is reaped when its lease
 * runs out. 6. A handler sees what it would see of a run that was claimed: JSON is in the order of the database, and rows to which the
 * database adds something as they are stored, those of workflows, are read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { handlerKey, priorityRank } from '@spine/core';
import { parseAsJsonb, startsAtOnce } from '@spine/database';
import type { ClaimedRun, ClaimOnInsert, NewRun } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { CapacityCache } from '../dispatch/capacity.ts';
import type { AttemptRunner } from './attempt-runner.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { PausedLanes } from './paused-lanes.ts';
import type { RunExchange } from './run-exchange.ts';
import type { Slots } from './slots.ts';

export interface AdopterOptions {
  readonly workerId: string;
  readonly leaseMs: number;
  readonly lanes: readonly string[];
  /** Keys of the handlers without gates that this worker knows. */
  readonly handlers: readonly string[];
  readonly slots: Slots;
  readonly leases: Pick<LeaseKeeper, 'lapsed'>;
  readonly runner: Pick<AttemptRunner, 'execute'>;
  readonly exchange: Pick<RunExchange, 'held' | 'findHeld'>;
  readonly pausedLanes: Pick<PausedLanes, 'has'>;
  /** Whether hints of a lane wait for slots. */
  readonly waits: (lane: string) => boolean;
  /** Whether runs that this process submits may start here at once. Default true. */
  readonly eagerStart?: boolean | undefined;
  /** Without it this worker counts as its lanes' only one. */
  readonly capacity?: Pick<CapacityCache, 'current'> | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Room for runs that are about to be stored. Exactly one of the three ends it. */
export interface Adoption {
  /** For the insert. */
  readonly claim: ClaimOnInsert;
  /** They have committed. @param stored those that were stored as claimed. */
  begin(stored: ReadonlySet<string>): void;
  /** Nothing was stored. */
  giveUp(): void;
  /** Nobody knows whether they have committed. */
  lookFor(): void;
}

/** Takes in runs that the same process stores. */
export interface RunAdopter {
  /** Room for as many of the runs of a workflow as may start here at once; null for none of them. */
  adopt(runs: readonly NewRun[]): Adoption | null;
}

/** Takes in runs that the same process submits as well. */
export interface EagerStarter extends RunAdopter {
  /** Room for a run that is submitted alone; null where it is to go through the queue. */
  adoptSubmitted(run: NewRun): Adoption | null;
}

type Source = 'workflow' | 'submit';

/** When room was asked for, by performance.now(), and by whom. */
interface Asked {
  readonly askedAt: number;
  readonly source: Source;
}

/** Of runs that start before others that wait in the queue. */
const LEAST_URGENT = priorityRank('normal');
/** One in so many slots is left to hints. */
const LEFT_TO_HINTS = 4;
/** Of a run that is stored as claimed. */
const FIRST_EPOCH = 1;
/** Between two looks for runs that may have been stored. */
const LOOK_AGAIN_MS = 1_000;

export class Adopter implements EagerStarter {
  readonly #options: AdopterOptions;
  readonly #handlers: ReadonlySet<string>;
  readonly #lanes: ReadonlySet<string>;
  readonly #open = new Set<Promise<void>>();
  #taking = false;

  constructor(options: AdopterOptions) {
    this.#options = options;
    this.#handlers = new Set(options.handlers);
    this.#lanes = new Set(options.lanes);
  }

  /** The worker is registered. */
  start(): void {
    this.#taking = true;
  }

  /** Takes nothing more. Resolves when what was taken is executed or given up. */
  async stop(): Promise<void> {
    this.#taking = false;
    await Promise.all(this.#open);
  }

  adopt(runs: readonly NewRun[]): Adoption | null {
    return this.#take(runs, 'workflow');
  }

  adoptSubmitted(run: NewRun): Adoption | null {
    const { eagerStart = true, waits } = this.#options;
    if (!eagerStart || priorityRank(run.priority) > LEAST_URGENT || waits(run.lane)) return null;
    return this.#take([run], 'submit');
  }

  #take(runs: readonly NewRun[], source: Source): Adoption | null {
    const { slots, leases } = this.#options;
    if (!this.#taking || leases.lapsed()) return null;
    const room = slots.free - Math.ceil(slots.total / LEFT_TO_HINTS);
    if (room <= 0) return null;
    const mine = [...Map.groupBy(runs, ({ lane }) => lane)].flatMap(([lane, group]) =>
      this.#shareOf(lane, group),
    );
    const taken = mine.slice(0, slots.take(Math.min(mine.length, room)));
    return taken.length === 0 ? null : this.#adoption(taken, source);
  }

  /** Those of a lane's runs that this worker may take. */
  #shareOf(lane: string, runs: readonly NewRun[]): NewRun[] {
    const { pausedLanes, capacity } = this.#options;
    if (!this.#lanes.has(lane) || pausedLanes.has(lane)) return [];
    const workers = capacity?.current().lanes.get(lane)?.workers ?? 1;
    const share = Math.ceil(runs.length / Math.max(1, workers));
    return runs
      .filter((run) => startsAtOnce(run) && this.#handlers.has(handlerKey(run.kind, run.name)))
      .slice(0, share);
  }

  #adoption(runs: readonly NewRun[], source: Source): Adoption {
    const { slots, exchange, workerId, leaseMs } = this.#options;
    const askedAt = performance.now();
    const end = this.#begun();
    return {
      claim: { workerId, leaseMs, runIds: new Set(runs.map(({ runId }) => runId)) },
      begin: (stored) => {
        const held = runs.filter(({ runId }) => stored.has(runId));
        const unlike = held.filter(isCompleted);
        const asSent = held.filter((run) => !isCompleted(run)).map(claimedAsStored);
        this.#execute(asSent, { askedAt, source, taken: runs.length - unlike.length });
        if (unlike.length === 0) end();
        else void this.#read(unlike, { askedAt, source }, (ids) => exchange.held(ids)).finally(() => end());
      },
      giveUp: () => {
        slots.release(runs.length);
        end();
      },
      lookFor: () => {
        void this.#read(runs, { askedAt, source }, (ids) => exchange.findHeld(ids, FIRST_EPOCH)).finally(() =>
          end(),
        );
      },
    };
  }

  /** What is begun is waited for by {@link stop}. @returns what ends it. */
  #begun(): () => void {
    let end = (): void => undefined;
    const open = new Promise<void>((resolve) => (end = resolve)).then(() => void this.#open.delete(open));
    this.#open.add(open);
    return () => end();
  }

  /** `taken`: slots that were taken for them and for others. */
  #execute(
    runs: readonly ClaimedRun[],
    { askedAt, source, taken }: Asked & { readonly taken: number },
  ): void {
    const { slots, runner, metrics } = this.#options;
    if (taken > runs.length) slots.release(taken - runs.length);
    metrics.claimed.inc(runs.length);
    metrics.adopted.inc({ source }, runs.length);
    // Each logs its own failure.
    for (const run of runs) void runner.execute(run, askedAt).catch(() => undefined);
  }

  /** Executes those of the runs that are read; tries until their leases are over, or this worker stops. */
  async #read(
    runs: readonly NewRun[],
    asked: Asked,
    read: (runIds: readonly string[]) => Promise<readonly ClaimedRun[]>,
  ): Promise<void> {
    const { leaseMs, logger } = this.#options;
    const ids = runs.map(({ runId }) => runId);
    const tryOnce = (): Promise<readonly ClaimedRun[] | null> =>
      read(ids).catch((error: unknown) => {
        logger.debug({ err: error }, 'runs that were stored as claimed could not be read');
        return null;
      });
    let found = await tryOnce();
    while (found === null && this.#taking && performance.now() - asked.askedAt < leaseMs) {
      await sleep(LOOK_AGAIN_MS);
      found = await tryOnce();
    }
    // At a later epoch it was taken from this worker, whoever has it now.
    const taken = (found ?? []).filter(({ epoch }) => epoch === FIRST_EPOCH);
    this.#execute(taken, { ...asked, taken: runs.length });
  }
}

/** Whether the database adds to the row: the version that a workflow is pinned to. */
function isCompleted({ kind }: NewRun): boolean {
  return kind === 'workflow';
}

/** What a claim would have answered of a run that was stored as claimed. */
function claimedAsStored(run: NewRun): ClaimedRun {
  return {
    runId: run.runId,
    kind: run.kind,
    name: run.name,
    lane: run.lane,
    params: parseAsJsonb(run.params),
    epoch: FIRST_EPOCH,
    attempt: 1,
    maxAttempts: run.maxAttempts,
    crashCount: 0,
    retryDelayMs: run.retryDelayMs,
    timeoutMs: run.timeoutMs,
    deadLetter: run.deadLetter,
    correlationId: run.correlationId,
    parentRunId: run.parentRunId,
    metadata: parseAsJsonb(run.metadata) as Record<string, unknown>,
    lastError: null,
    retryPolicy: run.retryPolicy === null ? null : parseAsJsonb(run.retryPolicy),
    gates: null,
    runTimeLeftMs: null,
    paramsRef: run.paramsRef,
    traceContext: run.traceContext,
  };
}
