/** Changes of workflows by whoever may define some: what the API does, and scripts. */
import { ConflictError, handlerKey } from '@spine/core';
import { archiveWorkflow, getWorkflowVersion, publishWorkflow, rollBackWorkflow } from '@spine/database';
import type { ArchiveOutcome, PublishOutcome, RollbackOutcome } from '@spine/database';
import { defineWorkflow, defineWorkflowFromJson } from '../workflow/define.ts';
import { workflowJson } from '../workflow/json.ts';
import { workflowFromJson, workflowToJson } from '../workflow/json-map.ts';
import type { WorkflowInput } from '../workflow/model.ts';
import { publishedLookups } from './published-lookups.ts';
import type { LookupServices } from './published-lookups.ts';

/** Who changes what, and over which revision; null for whatever is there. */
export interface PostedChange {
  readonly by: string;
  readonly revision: number | null;
}

/**
 * Checks a workflow against the handlers and workflows there are, and publishes it.
 * @throws ValidationError for everything `defineWorkflow` refuses, missing handlers and cycles through others among it.
 */
export async function postWorkflow(
  services: LookupServices,
  workflow: WorkflowInput,
  { changelog, ...change }: PostedChange & { readonly changelog: string | null },
): Promise<PublishOutcome> {
  const { hash, ...input } = defineWorkflow(workflow, await publishedLookups(services, workflow));
  return publishWorkflow(services.db, {
    ...change,
    name: input.name,
    hash,
    definition: workflowToJson(input),
    changelog,
    source: 'api',
    isInCode: await isInCode(services, input.name),
  });
}

/**
 * Makes a version current again that is there.
 * @throws ValidationError where it can no longer run: a handler or a workflow that it names is gone.
 */
export async function rollBackPosted(
  services: LookupServices,
  name: string,
  { version, ...change }: PostedChange & { readonly version: number; readonly reason: string },
): Promise<RollbackOutcome> {
  const stored = await getWorkflowVersion(services.db, name, version);
  if (stored !== null) await requireRunnable(services, stored.definition);
  return rollBackWorkflow(services.db, {
    ...change,
    name,
    version,
    source: 'api',
    isInCode: await isInCode(services, name),
  });
}

/** @see archiveWorkflow */
export async function archivePosted(
  services: LookupServices,
  name: string,
  change: PostedChange & { readonly reason: string | null },
): Promise<ArchiveOutcome> {
  return archiveWorkflow(services.db, {
    ...change,
    name,
    source: 'api',
    isInCode: await isInCode(services, name),
  });
}

/** Whether this process or a live worker has a workflow of that name in its code. */
export async function isInCode(
  { registry, capacity }: Pick<LookupServices, 'registry' | 'capacity'>,
  name: string,
): Promise<boolean> {
  if (registry.get('workflow', name) !== undefined) return true;
  const { handlers } = await capacity.refresh();
  return handlers.has(handlerKey('workflow', name));
}

async function requireRunnable(services: LookupServices, json: unknown): Promise<void> {
  const parsed = workflowJson.safeParse(json);
  if (!parsed.success) throw new ConflictError('this release does not read that version any more');
  defineWorkflowFromJson(json, await publishedLookups(services, workflowFromJson(parsed.data)));
}
