/** What a definition is checked against before it is published: the handlers and workflows there are. */
import { handlerKey } from '@spine/core';
import { currentDefinitions } from '@spine/database';
import type { Db } from '@spine/database';
import type { CapacityCache, HandlerRegistry } from '@spine/execution';
import { childWorkflows } from '../workflow/check-nesting.ts';
import type { DefinitionLookups } from '../workflow/define.ts';
import { workflowJson } from '../workflow/json.ts';
import { workflowFromJson } from '../workflow/json-map.ts';
import type { WorkflowInput } from '../workflow/model.ts';
import { WORKFLOW_LIMITS } from '../workflow/model.ts';
import { stepHandlerName } from './step-handler.ts';

export interface LookupServices {
  readonly db: Db;
  readonly registry: HandlerRegistry;
  readonly capacity: CapacityCache;
}

/** Workflows that are read to look for a way back to the one that is checked. */
const MOST_CHILDREN = 1_000;

/**
 * Handlers known here or to a live worker, now; and the published workflows that `workflow` starts, with theirs.
 *
 * @param workflow null where its children are not known because it cannot be read: then none is found missing.
 */
export async function publishedLookups(
  { db, registry, capacity }: LookupServices,
  workflow: WorkflowInput | null,
): Promise<DefinitionLookups> {
  const { handlers: live } = await capacity.refresh();
  const hasHandler: DefinitionLookups['hasHandler'] = (kind, handler) => {
    const name = stepHandlerName({ kind, handler });
    return registry.get('step', name) !== undefined || live.has(handlerKey('step', name));
  };
  if (workflow === null) return { hasHandler };
  const children = await childrenOf(db, workflow);
  return { hasHandler, workflow: (name) => children.get(name) };
}

async function childrenOf(db: Db, workflow: WorkflowInput): Promise<ReadonlyMap<string, WorkflowInput>> {
  const found = new Map<string, WorkflowInput>();
  let level: readonly WorkflowInput[] = [workflow];
  for (let depth = 0; depth <= WORKFLOW_LIMITS.nesting && level.length > 0; depth += 1) {
    const names = new Set(level.flatMap(childWorkflows).map((child) => child.workflow));
    const wanted = [...names].filter((name) => !found.has(name)).slice(0, MOST_CHILDREN - found.size);
    level = [...(await currentDefinitions(db, wanted)).values()].flatMap((json) => {
      const parsed = workflowJson.safeParse(json);
      return parsed.success ? [workflowFromJson(parsed.data)] : [];
    });
    for (const child of level) found.set(child.name, child);
  }
  return found;
}
