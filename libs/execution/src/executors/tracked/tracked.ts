/**
 * A function of this process under the engine's rules: its run is a row like any other, with history, lease and fence,
 * and shows wherever runs show. For scripts and services that do their work themselves.
 *
 * 1. Of calls with one idempotency key one runs; the others are told which run it is. 2. The run is claimed by id before
 * any hint is sent for it: no worker gets it first. 3. Nothing is written for an attempt that lost its run; its function
 * is told by its signal. 4. A process that dies leaves its run to the reaper, like a worker.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { assertNever, handlerKey, InvariantError, isTerminal, newWorkerId } from '@spine/core';
import { GroupCommit, insertRuns } from '@spine/database';
import type { ClaimedRun, InsertOutcome, NewRun, StoredError } from '@spine/database';
import type { Guards } from '../../gates/guards.ts';
import type { Engine } from '../../engine.ts';
import { checkSpec } from '../../spec/check-spec.ts';
import { checkSizes, newRun } from '../../spec/new-run.ts';
import type { SpecIssue } from '../../spec/new-run.ts';
import type { WorkSpec } from '../../spec/work-spec.ts';
import type { AbortReason, HandlerContext, RunSummary } from '../../worker/context.ts';
import { engineOnlyIssues } from '../in-process/admission.ts';
import { outcomeOf } from '../outcome.ts';
import { TrackedAttempts } from './tracked-attempts.ts';

export type TrackedEngine = Pick<
  Engine,
  'pool' | 'db' | 'dispatcher' | 'payloads' | 'control' | 'registry' | 'logger' | 'metrics' | keyof Guards
>;

export type TrackedOutcome<T> =
  | { readonly type: 'completed'; readonly runId: string; readonly value: T }
  | { readonly type: 'failed' | 'timed_out'; readonly run: RunSummary; readonly error: StoredError }
  /** The idempotency key belongs to a run that has ended, however. Nothing ran. */
  | { readonly type: 'existing'; readonly run: RunSummary }
  /** The idempotency key belongs to a run that somebody else has, or that may not start now. Nothing ran. */
  | { readonly type: 'busy'; readonly run: RunSummary }
  /** The idempotency key belongs to a run that asked for something else. Nothing ran. */
  | { readonly type: 'conflict'; readonly run: RunSummary }
  /** A new run that may not start now: its lane is paused, or it is not due. It was cancelled. Nothing ran. */
  | { readonly type: 'blocked'; readonly run: RunSummary }
  | { readonly type: 'invalid'; readonly issues: readonly SpecIssue[] }
  /** The run was taken from this process while it ran or waited for its next attempt; `run` is as it is now. */
  | { readonly type: 'interrupted'; readonly run: RunSummary; readonly reason: AbortReason };

export interface TrackedOptions {
  /** Without a sign of life for this long the run is somebody else's. Default 30 s. */
  readonly leaseMs?: number;
  /** Default a third of the lease, at most 10 s. */
  readonly heartbeatMs?: number;
  /** Gives the run back when it is aborted: it waits for a worker, or for the next call with its key. */
  readonly signal?: AbortSignal;
}

const DEFAULT_LEASE_MS = 30_000;
/** How often a run that waits for its next attempt is tried. */
const RETRY_PAUSE_MS = 100;

/**
 * Runs `work` as the run a spec describes and records what becomes of it.
 *
 * The spec's `max_retries` defaults to 0; with more, `work` is called again here, after the wait the retry policy says.
 * Where a registered handler has the name, its schema validates the params.
 *
 * @throws what Postgres throws when it cannot be reached; the run's lease then runs out.
 */
export async function tracked<T>(
  engine: TrackedEngine,
  spec: WorkSpec,
  work: (context: HandlerContext) => Promise<T> | T,
  options: TrackedOptions = {},
): Promise<TrackedOutcome<T>> {
  const issues = [...engineOnlyIssues(spec), ...checkSpec(spec, handlerOf(engine, spec))];
  if (issues.length > 0) return { type: 'invalid', issues };
  const run = newRun(
    { maxRetries: 0, triggerSource: 'tracked', ...spec },
    {},
    { retry: handlerOf(engine, spec)?.retry ?? null, gates: null },
  );
  const tooLarge = checkSizes(run, engine.payloads.limits.maxBytes);
  if (tooLarge.length > 0) return { type: 'invalid', issues: tooLarge };
  const stored = await store(engine, run);
  if (stored.type === 'fenced') throw new InvariantError('a run without a parent was fenced');
  const isNew = stored.type === 'inserted' || stored.run.runId === run.runId;
  if (!isNew) {
    if (stored.run.specHash !== run.specHash) return { type: 'conflict', run: stored.run };
    if (isTerminal(stored.run.status)) return { type: 'existing', run: stored.run };
  }
  const runId = isNew ? run.runId : stored.run.runId;
  return runStored(engine, { runId, isNew, spec }, work, options);
}

interface StoredRun {
  readonly runId: string;
  readonly isNew: boolean;
  readonly spec: WorkSpec;
}

async function runStored<T>(
  engine: TrackedEngine,
  { runId, isNew, spec }: StoredRun,
  work: (context: HandlerContext) => Promise<T> | T,
  options: TrackedOptions,
): Promise<TrackedOutcome<T>> {
  const attempts = new TrackedAttempts<T>(engine, {
    workerId: newWorkerId(),
    handler: handlerKey(spec.kind, spec.name),
    retry: handlerOf(engine, spec)?.retry ?? null,
    leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS,
    heartbeatMs: options.heartbeatMs ?? null,
    work,
  });
  const giveBack = (): void => attempts.interrupt('shutdown');
  options.signal?.addEventListener('abort', giveBack, { once: true });
  try {
    // A run of this key that waits is taken over: whoever had it is gone.
    let claimed = await attempts.claim(runId);
    if (claimed === null) return await notStarted(engine, runId, isNew);
    while (claimed !== null) {
      if (options.signal?.aborted === true) giveBack();
      const ended = await attempts.run(claimed);
      if (ended.type === 'completed') return { type: 'completed', runId, value: ended.value };
      if (ended.type !== 'again') return await outcome(engine, runId, ended.reason);
      claimed = await nextAttempt(engine, attempts, runId, ended.delayMs, options.signal);
    }
    return await outcome(engine, runId, 'lost');
  } finally {
    options.signal?.removeEventListener('abort', giveBack);
    await attempts.close();
  }
}

function handlerOf(engine: TrackedEngine, { kind, name }: WorkSpec) {
  return engine.registry.get(kind, name);
}

/** The row, hinted to nobody: whoever stored it claims it. */
async function store(engine: TrackedEngine, run: NewRun): Promise<InsertOutcome> {
  const { payloads, pool, metrics } = engine;
  const stowed = await payloads.stow(run);
  const insert = new GroupCommit<NewRun, InsertOutcome>({
    flush: (runs, { ambiguous }) => insertRuns(pool, runs, { ambiguous, hinted: true }),
    onFlush: metrics.commit('insert_runs'),
  });
  const stored = await insert.submit(stowed);
  if (stored.type === 'inserted') metrics.submitted.inc({ kind: run.kind });
  else if (stored.type === 'existing' && stored.run.runId !== run.runId)
    payloads.discard(run.runId, stowed.paramsRef);
  return stored;
}

async function notStarted<T>(
  engine: TrackedEngine,
  runId: string,
  isNew: boolean,
): Promise<TrackedOutcome<T>> {
  if (!isNew) {
    const run = await read(engine, runId);
    return { type: isTerminal(run.status) ? 'existing' : 'busy', run };
  }
  await engine.dispatcher.cancel(runId, 'it could not start at once', 'tracked');
  return { type: 'blocked', run: await read(engine, runId) };
}

/** The next claim of a run after its wait; null when it is not this process's any more. */
async function nextAttempt(
  engine: TrackedEngine,
  attempts: TrackedAttempts<unknown>,
  runId: string,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<ClaimedRun | null> {
  for (let pause = delayMs; signal?.aborted !== true; pause = RETRY_PAUSE_MS) {
    await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    const claimed = await attempts.claim(runId);
    if (claimed !== null) return claimed;
    const { status } = await read(engine, runId);
    // Due by this clock and not yet by the database's, or held back for a while.
    if (status !== 'queued' && status !== 'pending') return null;
  }
  return null;
}

async function outcome<T>(
  engine: TrackedEngine,
  runId: string,
  reason: AbortReason,
): Promise<TrackedOutcome<T>> {
  const run = await read(engine, runId);
  const ended = outcomeOf(run);
  switch (ended.type) {
    case 'failed':
    case 'timed_out':
      return { type: ended.type, run, error: ended.error };
    case 'completed':
    case 'cancelled':
    case 'unfinished':
      return { type: 'interrupted', run, reason: ended.type === 'cancelled' ? 'cancelled' : reason };
    case 'not_found':
      throw new InvariantError(`run ${runId} is gone`);
    default:
      return assertNever(ended);
  }
}

async function read(engine: TrackedEngine, runId: string): Promise<RunSummary> {
  const run = await engine.dispatcher.get(runId);
  if (run === null) throw new InvariantError(`run ${runId} is gone`);
  return run;
}
