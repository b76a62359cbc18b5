/**
 * Starting a run of a workflow by its name. What a workflow asks of its runs (how many at a time, a partition once) holds for
 * runs that are started in any other way as well: it is decided where a run is handed over. Here is found out what can be
 * told before: that there is no such workflow, that it is archived, that it has no such version.
 */
import { FORCE_METADATA, PARTITION_METADATA } from '@spine/core';
import type { WorkflowPartition } from '@spine/core';
import { getWorkflow, getWorkflowVersion, VERSION_METADATA } from '@spine/database';
import type { Db } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import type { HandlerRegistry, SubmitOutcome, WorkSpec } from '@spine/execution';

export interface WorkflowStart extends Omit<WorkSpec, 'kind' | 'name'> {
  /** What the run is for. Default: nothing that is tracked. */
  readonly partition?: WorkflowPartition;
  /** Begin although the partition is completed. Default false. */
  readonly force?: boolean;
  /** Default: the one that is current when the run is submitted. */
  readonly version?: number;
}

export interface StartServices {
  readonly db: Db;
  /** Who stores the run: the dispatcher, or what confines a caller's submissions. */
  readonly dispatcher: { submit(spec: WorkSpec): Promise<SubmitOutcome> };
  readonly registry: Pick<HandlerRegistry, 'get'>;
}

export type StartOutcome =
  | { readonly type: 'submitted'; readonly spec: WorkSpec; readonly outcome: SubmitOutcome }
  | { readonly type: 'unknown_workflow' }
  | { readonly type: 'archived'; readonly at: Date }
  | { readonly type: 'unknown_version'; readonly version: number };

/** The spec of such a run, for whoever submits it otherwise: as a schedule, a trigger, a batch. */
export function workflowStartSpec(
  name: string,
  { partition, force = false, version, params = {}, metadata = {}, ...spec }: WorkflowStart,
): WorkSpec {
  return workflowSpec(name, params, {
    ...spec,
    metadata: {
      ...metadata,
      ...(version === undefined ? {} : { [VERSION_METADATA]: version }),
      ...(partition === undefined ? {} : { [PARTITION_METADATA]: partition }),
      ...(force ? { [FORCE_METADATA]: true } : {}),
    },
  });
}

/** Submits a run of the workflow. */
export async function startWorkflow(
  { db, dispatcher, registry }: StartServices,
  name: string,
  start: WorkflowStart,
): Promise<StartOutcome> {
  const workflow = await getWorkflow(db, name);
  // One that no worker has published yet is known by its code.
  if (workflow === null && registry.get('workflow', name) === undefined) return { type: 'unknown_workflow' };
  const archivedAt = workflow?.archivedAt ?? null;
  if (archivedAt !== null) return { type: 'archived', at: archivedAt };
  const { version } = start;
  if (version !== undefined && (await getWorkflowVersion(db, name, version)) === null) {
    return { type: 'unknown_version', version };
  }
  const spec = workflowStartSpec(name, start);
  return { type: 'submitted', spec, outcome: await dispatcher.submit(spec) };
}
