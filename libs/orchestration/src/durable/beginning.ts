/**
 * Runs that begin without a look into the database: the version they are pinned to was read before, they need no admission,
 * and this process knows every handler. Pure but for what it remembers of definitions, which never change.
 */
import { PARTITION_METADATA } from '@spine/core';
import { isWorkflowVersion, VERSION_METADATA } from '@spine/database';
import type { WorkflowBeginning } from '@spine/database';
import { callsIn } from '../workflow/check.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { WorkflowEvent } from '../engine/event.ts';
import type { ReceivedRun, Receiver } from './receive.ts';
import { stepHandlerName } from './step-handler.ts';

/** Definitions without a handler that this process does not know, and without a limit on their runs. */
const simple = new WeakSet<WorkflowDefinition>();

/** Null for a run that has to be looked at: see `receiveWorkflow`. */
export function beginningOf(
  { definitions, handlers, environment }: Receiver,
  { runId, name, metadata, params }: Omit<ReceivedRun, 'epoch'>,
): WorkflowBeginning | null {
  const version = metadata[VERSION_METADATA];
  if (!isWorkflowVersion(version) || Object.hasOwn(metadata, PARTITION_METADATA)) return null;
  const definition = definitions.known(name, version);
  if (definition === null || !isSimple(definition, handlers)) return null;
  const started: WorkflowEvent = { type: 'started', runId, params, environment };
  return { name, version, started };
}

function isSimple(definition: WorkflowDefinition, handlers: Receiver['handlers']): boolean {
  if (simple.has(definition)) return true;
  if (definition.concurrency !== undefined) return false;
  const known = callsIn(definition).every(
    ({ call }) => handlers.get('step', stepHandlerName(call)) !== undefined,
  );
  if (known) simple.add(definition);
  return known;
}
