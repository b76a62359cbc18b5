/** Where a run becomes a workflow: it is told that it has started, with the definition that it goes on with. */
import { InvariantError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { inheritedOf, receiveWorkflowRun } from '@spine/database';
import type { DbTransaction } from '@spine/database';
import { RECEIVED } from '@spine/execution';
import type { HandlerRegistry, Received } from '@spine/execution';
import type { ForkedFrom, WorkflowEvent } from '../engine/event.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { admitRun } from './admit-run.ts';
import type { DefinitionVersions } from './definitions.ts';
import { definitionOfRun, requireHandlers } from './published.ts';

export interface ReceivedRun {
  readonly runId: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** At which the engine will hold it. */
  readonly epoch: number;
  readonly params: JsonObject;
}

/** What a process receives runs with. */
export interface Receiver {
  readonly definitions: DefinitionVersions;
  readonly handlers: Pick<HandlerRegistry, 'get'>;
  readonly environment: string;
}

/** What a run that a workflow has started takes from that workflow, and a fork from the run it was forked from. */
export interface Inherited {
  readonly context?: JsonObject;
  readonly previous?: JsonObject;
  readonly ancestors?: readonly string[];
  readonly environment?: string;
  /** Of a run that begins in the middle of another. */
  readonly fork?: ForkedFrom;
}

/**
 * Part of the transaction that takes the run from its worker. A run that was paused goes on with the version it has.
 *
 * @param code the definition of the name in this process; null for a name it knows from the database alone.
 * @throws what `definitionOfRun` and `requireHandlers` throw.
 */
export async function receiveWorkflow(
  trx: DbTransaction,
  { definitions, handlers, environment }: Receiver,
  code: WorkflowDefinition | null,
  { runId, name, metadata, epoch, params }: ReceivedRun,
): Promise<Received> {
  const begun = await definitionOfRun(trx, definitions, { runId, name, metadata }, code);
  const admission = await admitRun(trx, begun.definition, { runId, metadata, epoch });
  if (admission.type === 'refused') return admission.received;
  const { partitionKey } = admission;
  const inherited = (await inheritedOf(trx, runId)) as Inherited | null;
  const started: WorkflowEvent = { type: 'started', runId, params, environment, ...inherited };
  const outcome = await receiveWorkflowRun(trx, {
    runId,
    name,
    version: begun.version,
    epoch,
    partitionKey,
    started,
  });
  if (outcome === 'ended') throw new InvariantError(`workflow run ${runId} has ended and cannot go on`);
  if (outcome === 'started') await requireHandlers(trx, begun, handlers);
  return RECEIVED;
}
