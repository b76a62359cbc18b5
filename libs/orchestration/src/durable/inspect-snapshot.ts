/** A workflow run at one moment, as far as every look at it needs it. */
import { getRun, getWorkflowRun, readStepStatuses } from '@spine/database';
import type { DbTransaction, RunRecord, WorkflowRunRecord } from '@spine/database';
import { NEW_RUN } from '../engine/control.ts';
import type { ForkedStep } from '../engine/fork.ts';
import { RunGraph } from '../engine/run-graph.ts';
import type { RunHead, StepStatus } from '../engine/state.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { DefinitionVersions } from './definitions.ts';

export interface WorkflowSnapshot {
  readonly run: RunRecord;
  readonly record: WorkflowRunRecord;
  /** The version that the run goes by. */
  readonly definition: WorkflowDefinition;
  readonly head: RunHead;
  /** With what the run's own modifications have made of the definition. */
  readonly graph: RunGraph;
  /** Of every step; `pending` for one that nothing has happened to. */
  statusOf(this: void, step: string): StepStatus;
  /** Undefined for a step that nothing has happened to. */
  stepOf(this: void, step: string): ForkedStep | undefined;
}

export type SnapshotOutcome =
  | { readonly type: 'found'; readonly snapshot: WorkflowSnapshot }
  | { readonly type: 'not_found' }
  /** It is no workflow, or no worker has taken it up yet. */
  | { readonly type: 'not_begun'; readonly run: RunRecord };

/** @param trx of a snapshot, or one that holds the run. */
export async function readSnapshot(
  trx: DbTransaction,
  definitions: DefinitionVersions,
  runId: string,
): Promise<SnapshotOutcome> {
  const run = await getRun(trx, runId);
  if (run === null) return { type: 'not_found' };
  const record = await getWorkflowRun(trx, runId);
  if (record === null) return { type: 'not_begun', run };
  const definition = await definitions.get(trx, record.name, record.version);
  const statuses = await readStepStatuses(trx, runId);
  const head = (record.head as RunHead | null) ?? NEW_RUN;
  const stepOf = (step: string): ForkedStep | undefined => statuses.get(step) as ForkedStep | undefined;
  const statusOf = (step: string): StepStatus => stepOf(step)?.status ?? 'pending';
  const graph = new RunGraph(definition, head.overlay);
  return { type: 'found', snapshot: { run, record, definition, head, graph, statusOf, stepOf } };
}
