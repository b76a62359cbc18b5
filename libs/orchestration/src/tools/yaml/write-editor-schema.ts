/** Writes `workflow.schema.json`: `node dist/tools/yaml/write-editor-schema.js`, after a build and before the format. */
import { writeFileSync } from 'node:fs';
import { workflowEditorSchema } from './editor-schema.ts';

writeFileSync(
  new URL('../../../workflow.schema.json', import.meta.url),
  `${JSON.stringify(workflowEditorSchema(), null, 2)}\n`,
);
