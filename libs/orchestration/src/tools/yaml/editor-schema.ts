import { z } from 'zod';
import { workflowDocumentJson } from './document.ts';

export const WORKFLOW_SCHEMA_ID = 'https://spine.io/schemas/workflow-v1.json';

/**
 * A JSON Schema (draft 7, which editors know best) of workflow files. `workflow.schema.json` in this package is its text;
 * what no schema can say, such as cycles, `parseWorkflowYaml` checks.
 */
export function workflowEditorSchema(): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(workflowDocumentJson, { target: 'draft-7', io: 'input' });
  return { ...schema, $id: WORKFLOW_SCHEMA_ID, title: 'Spine workflow' };
}
