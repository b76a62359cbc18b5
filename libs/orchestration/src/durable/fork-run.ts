/**
 * Forks a workflow run: a new run that begins in the middle of another.
 *
 * 1. One transaction: the new run, what it begins with, and copies of the records it takes over; or nothing. 2. The other run
 * is not advanced meanwhile, so that what is taken over is one moment of it. It is not changed, and goes on if it has not
 * ended: what was under way there is done again here. 3. The fork is a run like any other: submitted, claimed, handed over.
 * Its first event (`started` with `fork`) names what it has taken over, so that its first advance starts the rest, once. 4.
 * It goes by the version that the other one went by.
 */
import { FORCE_METADATA, InvariantError, PARTITION_METADATA } from '@spine/core';
import type { JsonObject } from '@spine/core';
import {
  asQueryable,
  copyStepRecords,
  getWorkflow,
  holdWorkflow,
  insertRuns,
  limitTransaction,
  liveCapacity,
  recordInherited,
  VERSION_METADATA,
  WHOLE_WORKFLOWS,
} from '@spine/database';
import type { Db, DbTransaction, NewRun, RunRecord } from '@spine/database';
import { specOfRun } from '@spine/execution';
import type { Dispatcher, Payloads, SpecIssue } from '@spine/execution';
import { forkStart } from '../engine/fork.ts';
import type { ForkStart } from '../engine/fork.ts';
import type { DefinitionVersions } from './definitions.ts';
import { readSnapshot } from './inspect-snapshot.ts';
import type { WorkflowSnapshot } from './inspect-snapshot.ts';
import type { Inherited } from './receive.ts';

export interface ForkServices {
  readonly db: Db;
  readonly dispatcher: Dispatcher;
  readonly payloads: Pick<Payloads, 'stow' | 'discard'>;
  readonly definitions: DefinitionVersions;
}

export interface ForkRequest {
  /** The first step that runs again. */
  readonly fromStep: string;
  /** Of the new run, in place of those of the other one. Default: its own. */
  readonly params?: JsonObject | undefined;
  readonly reason?: string | undefined;
  /** Who asks. */
  readonly by: string;
}

export type ForkOutcome =
  | {
      readonly type: 'forked';
      readonly runId: string;
      /** Steps whose outputs the new run has from the other one. */
      readonly takenOver: readonly string[];
      readonly warnings: readonly string[];
    }
  | { readonly type: 'not_found' }
  /** It is no workflow, or has done nothing yet that could be taken over. */
  | { readonly type: 'not_begun'; readonly run: RunRecord }
  | { readonly type: 'unknown_step'; readonly reason: string }
  | { readonly type: 'invalid'; readonly issues: readonly SpecIssue[] };

const LIMITS = { lockTimeoutMs: 10_000, idleTimeoutMs: 30_000 } as const;

export async function forkWorkflowRun(
  services: ForkServices,
  runId: string,
  request: ForkRequest,
): Promise<ForkOutcome> {
  const { db, dispatcher, payloads } = services;
  const hinted = dispatcher.hinting;
  const stowed: NewRun[] = [];
  try {
    const outcome = await db.transaction().execute(async (trx) => {
      await limitTransaction(trx, LIMITS);
      await holdWorkflow(trx, runId);
      const read = await readSnapshot(trx, services.definitions, runId);
      if (read.type !== 'found') return read;
      return forkIn(services, trx, read.snapshot, request, stowed, hinted);
    });
    if (outcome.type === 'forked') dispatcher.announce(stowed, hinted);
    return outcome;
  } catch (error) {
    for (const run of stowed) payloads.discard(run.runId, run.paramsRef);
    throw error;
  }
}

async function forkIn(
  { dispatcher, payloads }: ForkServices,
  trx: DbTransaction,
  { run, record, definition, head, stepOf }: WorkflowSnapshot,
  { fromStep, params, reason, by }: ForkRequest,
  stowed: NewRun[],
  hinted: boolean,
): Promise<ForkOutcome> {
  // Handed over, and not told yet that it has started.
  if (head.phase.type === 'new') return { type: 'not_begun', run };
  const start = forkStart(definition, head, stepOf, {
    from: fromStep,
    ...(params === undefined ? {} : { params }),
  });
  if (start.isErr()) return { type: 'unknown_step', reason: start.error };
  const forked = start.unwrap();
  const prepared = await dispatcher.prepare(
    {
      ...carriedOver(run),
      params: forked.params,
      metadata: {
        ...carriedMetadata(run),
        [VERSION_METADATA]: record.version,
        forked_from: run.runId,
        fork_step: fromStep,
        forked_by: by,
        ...(reason === undefined ? {} : { fork_reason: reason }),
      },
    },
    { allowUnknown: true, namespace: run.namespace },
  );
  if (prepared.type === 'invalid') return { type: 'invalid', issues: prepared.issues };
  if (prepared.type === 'unknown_handler') {
    throw new InvariantError(`handler ${prepared.handler} was refused although any is allowed`);
  }
  const next = await payloads.stow(prepared.run);
  stowed.push(next);
  const [inserted] = await insertRuns(asQueryable(trx), [next], { ambiguous: false, hinted });
  if (inserted?.type !== 'inserted') throw new InvariantError('a run that was forked was there before');
  await recordInherited(trx, [{ runId: next.runId, inherited: inheritedBy(forked) }]);
  const takenOver = forked.fork.kept;
  await copyStepRecords(trx, run.runId, next.runId, takenOver);
  const served = prepared.warnings.length > 0 && (await isServed(trx, run.name));
  return { type: 'forked', runId: next.runId, takenOver, warnings: served ? [] : prepared.warnings };
}

/** Whether a live worker takes runs of a name that new runs may not have any more: a fork goes on with what has begun. */
async function isServed(trx: DbTransaction, name: string): Promise<boolean> {
  const { handlers } = await liveCapacity(asQueryable(trx));
  return handlers.has(WHOLE_WORKFLOWS) && (await getWorkflow(trx, name)) !== null;
}

/** The same work, asked for by a person: not a part of whatever had asked for the other run. */
function carriedOver(run: RunRecord) {
  const { idempotencyKey: _key, parentRunId: _parent, singletonKey: _single, ...spec } = specOfRun(run);
  return { ...spec, correlationId: run.correlationId ?? run.runId, triggerSource: 'fork' };
}

/** A fork of a run for a partition is for it too; that the other one has completed it is no reason to skip this one. */
function carriedMetadata({ metadata }: RunRecord): Readonly<Record<string, unknown>> {
  const { continues: _continues, ...kept } = metadata;
  return Object.hasOwn(kept, PARTITION_METADATA) ? { ...kept, [FORCE_METADATA]: true } : kept;
}

function inheritedBy({ context, previous, ancestors, environment, fork }: ForkStart): Inherited {
  return {
    fork,
    ...(context === undefined ? {} : { context }),
    ...(previous === undefined ? {} : { previous }),
    ...(ancestors === undefined ? {} : { ancestors }),
    ...(environment === undefined ? {} : { environment }),
  };
}
