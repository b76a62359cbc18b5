/**
 * The run that takes the place of one whose history has become too long (`continue_as_new`).
 *
 * 1. Part of the transaction that ends the other one: who waits for that one waits for this one from then on. 2. It is asked
 * for as the other one was: lane, priority, tags, partition, what its submitter wrote into its metadata. It has its own history,
 * and the version that is current.
 */
import { InvariantError } from '@spine/core';
import { getRun, recordInherited, replaceWork, VERSION_METADATA } from '@spine/database';
import type { DbTransaction, LockedWorkflow, RunRecord } from '@spine/database';
import { specOfRun } from '@spine/execution';
import type { RunHead } from '../engine/state.ts';
import { insertAll } from './carry-out.ts';
import type { AdvanceServices } from './carry-out.ts';
import type { CompleteCommand } from './effects.ts';
import type { StartedRuns } from './started-runs.ts';

/** In the metadata of a run that takes the place of another: that one. */
export const CONTINUES_METADATA = 'continues';

/** What is said of the other run alone. */
const OWN_METADATA = new Set([VERSION_METADATA, 'forked_from', 'fork_step', 'forked_by', 'fork_reason']);

export async function goOnAsNew(
  { dispatcher, payloads }: Pick<AdvanceServices, 'dispatcher' | 'payloads'>,
  trx: DbTransaction,
  { runId, run: { namespace, traceContext } }: LockedWorkflow,
  end: CompleteCommand,
  head: RunHead,
  started: StartedRuns,
): Promise<void> {
  const run = await getRun(trx, runId);
  if (run === null) throw new InvariantError(`run ${runId} is gone under its own lock`);
  const prepared = await dispatcher.prepare(
    { ...carriedOver(run), params: end.next ?? {} },
    { allowUnknown: true, namespace, traceContext },
  );
  if (prepared.type !== 'prepared') {
    throw new InvariantError(`the run that continues ${runId} was refused: ${prepared.type}`);
  }
  const next = await payloads.stow(prepared.run);
  started.add(next);
  await insertAll(trx, [next], started.hinted);
  const inherited = { previous: end.outputs, ancestors: head.ancestors, environment: head.environment };
  await replaceWork(trx, runId, next.runId);
  await recordInherited(trx, [{ runId: next.runId, inherited }]);
}

/** The singleton key is still the other run's: it has not ended yet. */
function carriedOver(run: RunRecord) {
  const { singletonKey: _key, ...spec } = specOfRun(run);
  const metadata = Object.fromEntries(Object.entries(run.metadata).filter(([key]) => !OWN_METADATA.has(key)));
  return { ...spec, triggerSource: 'workflow', metadata: { ...metadata, [CONTINUES_METADATA]: run.runId } };
}
