/** Where a run becomes a workflow: its version is stored, and it is told that it has started. */
import { InvariantError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { inheritedOf, receiveWorkflowRun, registerWorkflowVersion } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { WorkflowEvent } from '../engine/event.ts';
import { workflowToJson } from '../workflow/json-map.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';

export interface ReceivedRun {
  readonly runId: string;
  /** At which the engine will hold it. */
  readonly epoch: number;
  readonly params: JsonObject;
  readonly environment: string;
}

/** What a run that a workflow has started takes from that workflow. */
export interface Inherited {
  readonly context?: JsonObject;
  readonly previous?: JsonObject;
  readonly ancestors?: readonly string[];
  readonly environment?: string;
}

/** Part of the transaction that takes the run from its worker. A run that was paused goes on with the version it has. */
export async function receiveWorkflow(
  trx: DbTransaction,
  definition: WorkflowDefinition,
  { runId, epoch, params, environment }: ReceivedRun,
): Promise<void> {
  const { hash, ...input } = definition;
  const { version } = await registerWorkflowVersion(trx, {
    name: definition.name,
    hash,
    definition: workflowToJson(input),
    createdBy: 'code',
  });
  const inherited = (await inheritedOf(trx, runId)) as Inherited | null;
  const started: WorkflowEvent = { type: 'started', runId, params, environment, ...inherited };
  const outcome = await receiveWorkflowRun(trx, { runId, name: definition.name, version, epoch, started });
  if (outcome === 'ended') throw new InvariantError(`workflow run ${runId} has ended and cannot go on`);
}
