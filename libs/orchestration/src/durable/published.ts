/**
 * Which definition a workflow run begins with, whoever hands it over.
 *
 * 1. The version that was pinned when the run was submitted; what was published since changes nothing. 2. Without one the
 * definition in the code of this process, else the current one of the name. 3. A run does not begin while a handler that
 * its definition names is known neither here nor to a live worker: it fails by name and is not tried again, because each
 * attempt would find the same; its dead letter can be replayed once the handler is there.
 */
import { handlerKey, NotFoundError, OrchestrationError, ValidationError } from '@spine/core';
import {
  asQueryable,
  getWorkflow,
  isWorkflowVersion,
  liveCapacity,
  registerWorkflowVersion,
  versionOfBegunRun,
  VERSION_METADATA,
} from '@spine/database';
import type { DbTransaction } from '@spine/database';
import type { AttemptInfo, HandlerRegistry } from '@spine/execution';
import { callsIn } from '../workflow/check.ts';
import { workflowToJson } from '../workflow/json-map.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { DefinitionVersions } from './definitions.ts';
import { stepHandlerName } from './step-handler.ts';

/** New runs of this workflow do not begin: it was archived. */
export class WorkflowArchivedError extends OrchestrationError {}

/** Nobody who lives knows a handler that the definition names. */
export class WorkflowHandlersMissingError extends OrchestrationError {}

/**
 * The version the metadata of a run pin; null for none.
 * @throws ValidationError for what is no version.
 */
export function pinnedVersion(metadata: Readonly<Record<string, unknown>>): number | null {
  if (!Object.hasOwn(metadata, VERSION_METADATA)) return null;
  const value = metadata[VERSION_METADATA];
  if (isWorkflowVersion(value)) return value;
  const message = `must be a whole number from 1; given ${JSON.stringify(value).slice(0, 60)}`;
  throw new ValidationError(`metadata.${VERSION_METADATA}: ${message}`, {
    issues: [{ field: `metadata.${VERSION_METADATA}`, code: 'invalid_version', message }],
  });
}

export interface VersionedDefinition {
  readonly version: number;
  readonly definition: WorkflowDefinition;
}

/**
 * What a run begins with.
 *
 * @param code the definition of the name in this process; null for a name it knows from the database alone.
 * @throws ValidationError for a pin that is no version, NotFoundError for a version or name that does not exist,
 *   WorkflowArchivedError.
 */
export async function definitionOfRun(
  trx: DbTransaction,
  definitions: DefinitionVersions,
  run: Pick<AttemptInfo, 'runId' | 'name' | 'metadata'>,
  code: WorkflowDefinition | null,
): Promise<VersionedDefinition> {
  const { runId, name } = run;
  // One without a pin that was paused goes on with what it has.
  const pinned = pinnedVersion(run.metadata) ?? (await versionOfBegunRun(trx, runId));
  if (pinned !== null) return stored(trx, definitions, name, pinned);
  const current = await getWorkflow(trx, name);
  if (current !== null && current.archivedAt !== null) {
    throw new WorkflowArchivedError(`workflow ${name} was archived: no new runs of it begin`);
  }
  if (code !== null) return { version: await registerCode(trx, code), definition: code };
  if (current === null) throw new NotFoundError(`no workflow ${name} is published`);
  return stored(trx, definitions, name, current.currentVersion);
}

async function stored(
  trx: DbTransaction,
  definitions: DefinitionVersions,
  name: string,
  version: number,
): Promise<VersionedDefinition> {
  const definition = await definitions.find(trx, name, version);
  if (definition === null) throw new NotFoundError(`workflow ${name} has no version ${version}`);
  return { version, definition };
}

async function registerCode(trx: DbTransaction, definition: WorkflowDefinition): Promise<number> {
  const { hash, ...input } = definition;
  const { version } = await registerWorkflowVersion(trx, {
    name: definition.name,
    hash,
    definition: workflowToJson(input),
    createdBy: 'code',
  });
  return version;
}

/** @throws WorkflowHandlersMissingError naming them. The live workers are asked for those that are not known here. */
export async function requireHandlers(
  trx: DbTransaction,
  { version, definition }: VersionedDefinition,
  handlers: Pick<HandlerRegistry, 'get'>,
): Promise<void> {
  const unknown = new Map(
    callsIn(definition)
      .map(({ call }) => ({ call, step: stepHandlerName(call) }))
      .filter(({ step }) => handlers.get('step', step) === undefined)
      .map(({ call, step }) => [handlerKey('step', step), `${call.kind} ${call.handler}`]),
  );
  if (unknown.size === 0) return;
  const live = await liveCapacity(asQueryable(trx));
  const missing = [...unknown].filter(([key]) => !live.handlers.has(key)).map(([, handler]) => handler);
  if (missing.length === 0) return;
  throw new WorkflowHandlersMissingError(
    `version ${version} of workflow ${definition.name} names what no live worker knows: ${missing.sort().slice(0, 20).join(', ')}`,
  );
}
