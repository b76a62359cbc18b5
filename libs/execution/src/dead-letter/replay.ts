/**
 * Doing the work of dead letters again.
 *
 * 1. A letter's closing and its new run commit together: of two replays one wins, and the other's run is never stored.
 * 2. Terminal is absorbing: the new run names the old one, which stays as it is.
 * 3. A run with a singleton key is stored in a transaction of its own, under that key's lock: two calls that held several
 * of these locks could lock each other out.
 */
import { InvariantError } from '@spine/core';
import {
  asQueryable,
  closeDeadLetters,
  getDeadLetter,
  getRuns,
  insertRuns,
  insertSingletonIn,
} from '@spine/database';
import type {
  Db,
  DbTransaction,
  DeadLetter,
  InsertInfo,
  InsertOutcome,
  NewRun,
  RunRecord,
} from '@spine/database';
import type { Metrics } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import type { EventSignal } from '../events/event-signal.ts';
import { withCopiedParams } from '../payload/copied-params.ts';
import type { Payloads } from '../payload/payloads.ts';
import { newRun, specOfRun } from '../spec/new-run.ts';
import type { WorkSpec } from '../spec/work-spec.ts';

export interface ReplayServices {
  readonly db: Db;
  readonly publisher: HintPublisher;
  readonly metrics: Metrics;
  /** Copies params that are outside their run's row. */
  readonly payloads: Payloads;
  /** Told that there are new events. */
  readonly eventSignal?: EventSignal | undefined;
}

/** Who does it and why, kept with the letter. */
export interface Verdict {
  readonly by: string;
  readonly note: string | null;
  /** Who asked for the new run, kept with it. Default `replay`. */
  readonly triggerSource?: string;
}

/** A new run that was stored. */
export type InsertedRun = Extract<InsertOutcome, { type: 'inserted' }>;

export interface Replayed {
  /** As it is now: closed, naming the new run. */
  readonly deadLetter: DeadLetter;
  readonly run: InsertedRun;
}

export type ReplayOutcome =
  | { readonly type: 'replayed'; readonly runId: string; readonly deadLetter: DeadLetter }
  | { readonly type: 'not_found' }
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

/** Letters closed by one transaction, at the most. */
const CHUNK = 100;

/** Work that has no run, or whose run was deleted: the letter says enough to do it again, with default options. */
function specOfLetter(letter: DeadLetter): WorkSpec {
  return {
    kind: letter.kind,
    name: letter.name,
    params: letter.params as Readonly<Record<string, unknown>>,
    lane: letter.lane,
    correlationId: letter.correlationId ?? letter.runId,
  };
}

function newRunOf(letter: DeadLetter, original: RunRecord | undefined, verdict: Verdict): NewRun {
  const spec = original === undefined ? specOfLetter(letter) : specOfRun(original);
  const triggerSource = verdict.triggerSource ?? 'replay';
  // The letter says it where its run was deleted.
  return newRun({ ...spec, triggerSource }, { retryOfRunId: letter.runId, namespace: letter.namespace });
}

/** Stores runs that do something again: without an idempotency key and without a fence, so nothing can refuse them. */
export async function insertReruns(
  trx: DbTransaction,
  runs: readonly NewRun[],
  info: InsertInfo,
): Promise<InsertedRun[]> {
  const on = asQueryable(trx);
  const plain = runs.filter((run) => run.singletonKey === null);
  const outcomes = [...(await insertRuns(on, plain, info))];
  for (const run of runs.filter((each) => each.singletonKey !== null)) {
    outcomes.push((await insertSingletonIn(on, run, info)).outcome);
  }
  return outcomes.map((outcome) => {
    if (outcome.type === 'inserted') return outcome;
    throw new InvariantError('a run without a key and without a fence was refused');
  });
}

/** Tells the queue and the metrics of runs that were stored outside the submitter. */
export function announceReruns(
  { publisher, metrics, eventSignal }: ReplayServices,
  runs: readonly NewRun[],
  hinted: boolean,
): void {
  if (runs.length > 0) eventSignal?.touch();
  for (const run of runs) metrics.submitted.inc({ kind: run.kind });
  publisher.announce(
    runs.map((run) => ({ ...run, delayMs: 0, gated: run.gates !== null })),
    !hinted,
  );
}

/** The runs alone that may share a transaction, and each of the others by itself. */
export function chunksOf<T extends { readonly run: NewRun }>(items: readonly T[]): T[][] {
  const plain = items.filter(({ run }) => run.singletonKey === null);
  const chunks: T[][] = [];
  for (let from = 0; from < plain.length; from += CHUNK) chunks.push(plain.slice(from, from + CHUNK));
  return [...chunks, ...items.filter(({ run }) => run.singletonKey !== null).map((item) => [item])];
}

/**
 * Replays those of `letters` that are still pending, and answers with them by the letter's id. What is missing was
 * closed by somebody else, or its params are gone from where large ones are kept. When it throws, whole chunks may have been replayed: they are not pending any more.
 */
export async function replayLetters(
  services: ReplayServices,
  letters: readonly DeadLetter[],
  verdict: Verdict,
): Promise<Map<string, Replayed>> {
  const { db, publisher } = services;
  const found = await getRuns(
    db,
    letters.map((letter) => letter.runId),
  );
  const originals = new Map(found.map((run) => [run.runId, run]));
  const planned = await withCopiedParams(
    services.payloads,
    letters.map((letter) => ({ letter, run: newRunOf(letter, originals.get(letter.runId), verdict) })),
    ({ letter }) => originals.get(letter.runId),
  );
  const replayed = new Map<string, Replayed>();
  for (const chunk of chunksOf(planned)) {
    const hinted = publisher.available;
    const closings = chunk.map(({ letter, run }) => ({
      deadLetterId: letter.deadLetterId,
      replayRunId: run.runId,
    }));
    const stored = await db.transaction().execute(async (trx) => {
      const closed = await closeDeadLetters(trx, closings, verdict.by, verdict.note);
      const taken = new Set(closed.map((letter) => letter.deadLetterId));
      const won = chunk.filter(({ letter }) => taken.has(letter.deadLetterId)).map(({ run }) => run);
      return { closed, won, inserted: await insertReruns(trx, won, { ambiguous: false, hinted }) };
    });
    const byId = new Map(stored.inserted.map((run) => [run.runId, run]));
    for (const deadLetter of stored.closed) {
      const run = byId.get(deadLetter.replayRunId ?? '');
      if (run !== undefined) replayed.set(deadLetter.deadLetterId, { deadLetter, run });
    }
    announceReruns(services, stored.won, hinted);
  }
  return replayed;
}

/** A new run for a pending dead letter, which it closes. */
export async function replayDeadLetter(
  services: ReplayServices,
  deadLetterId: string,
  verdict: Verdict,
): Promise<ReplayOutcome> {
  const letter = await getDeadLetter(services.db, deadLetterId);
  if (letter === null) return { type: 'not_found' };
  if (letter.resolvedAt !== null) return { type: 'already_resolved', deadLetter: letter };
  const replayed = (await replayLetters(services, [letter], verdict)).get(deadLetterId);
  if (replayed !== undefined) {
    return { type: 'replayed', runId: replayed.run.runId, deadLetter: replayed.deadLetter };
  }
  const now = await getDeadLetter(services.db, deadLetterId);
  return now === null ? { type: 'not_found' } : { type: 'already_resolved', deadLetter: now };
}
