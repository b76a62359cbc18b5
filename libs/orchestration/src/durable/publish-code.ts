/** Workflows that a release defines in code, made known under their names when a worker of it starts. */
import { publishWorkflow } from '@spine/database';
import type { Db } from '@spine/database';
import type { Logger } from '@spine/observability';
import { workflowToJson } from '../workflow/json-map.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';

/** Written as who has published them. */
const BY = 'code';

/**
 * Publishes each definition under its name. The code wins: a name that was posted before belongs to the code from here on,
 * and its versions stay. Of two releases that run side by side the one whose worker started last is current.
 */
export async function publishCode(
  db: Db,
  definitions: Iterable<WorkflowDefinition>,
  logger: Logger,
): Promise<void> {
  for (const definition of definitions) {
    const { hash, ...input } = definition;
    const { name } = input;
    const outcome = await publishWorkflow(db, {
      name,
      hash,
      definition: workflowToJson(input),
      source: 'code',
      by: BY,
      changelog: null,
      revision: null,
      isInCode: true,
    });
    if (outcome.type !== 'published') continue;
    const { currentVersion: version } = outcome.workflow;
    logger.info({ workflow: name, version }, `workflow ${name} is at version ${version} by this release`);
  }
}
