/** Bodies, queries and answers of the endpoints of workflow definitions. */
import { z } from 'zod';
import { CATALOG_SORTS, STEP_KINDS, WORKFLOW_LIMITS, workflowJson } from '@spine/orchestration';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { flag, once, text, wholeNumber } from '../http/query-values.ts';
import { storable } from '../schedules/work-fields.ts';

const yamlContent = z
  .string()
  .min(1)
  .describe('A file of apiVersion spine.io/v1 and kind Workflow. Problems name line and column.');

const posted = { yaml_content: yamlContent.optional(), definition: workflowJson.optional() };

function hasOne(body: { yaml_content?: unknown; definition?: unknown }): boolean {
  return (body.yaml_content === undefined) !== (body.definition === undefined);
}

const ONE = { error: 'give either yaml_content or definition', path: ['definition'] };

export const workflowBody = z
  .strictObject({
    ...posted,
    changelog: storable(2_000)
      .min(1)
      .optional()
      .describe('What is different and why; kept with the version.'),
  })
  .refine(hasOne, ONE)
  .meta({ id: 'WorkflowRequest', description: 'A workflow as YAML or as JSON, one of the two.' });
export type WorkflowBody = z.infer<typeof workflowBody>;

const ignored = z
  .array(z.string().regex(/^[A-Z]\d{3,6}$/, 'must be a code such as W004'))
  .max(100)
  .optional()
  .describe('Codes of rules that are left out.');

export const lintBody = z.strictObject({ ignore: ignored }).default({}).meta({ id: 'WorkflowLintRequest' });
export type LintBody = z.infer<typeof lintBody>;

export const lintPostedBody = z
  .strictObject({ ...posted, ignore: ignored })
  .refine(hasOne, ONE)
  .meta({ id: 'WorkflowLintPostedRequest', description: 'A workflow that need not be stored.' });
export type LintPostedBody = z.infer<typeof lintPostedBody>;

const versionNumber = z.int().min(1).max(2_147_483_647);

export const rollbackBody = z
  .strictObject({
    version: versionNumber.describe('The version that new runs are to begin with.'),
    reason: storable(2_000).min(1).describe('Why; kept in the history of the workflow.'),
  })
  .meta({ id: 'WorkflowRollback' });
export type RollbackBody = z.infer<typeof rollbackBody>;

export const dryRunBody = z
  .strictObject({
    params: z.record(z.string(), z.json()).default({}).describe('Of the run that is tried. Default {}.'),
    version: versionNumber.optional().describe('Default the current one.'),
    environment: storable(100)
      .min(1)
      .optional()
      .describe('What auto_approve is compared with. Default production.'),
  })
  .default({ params: {} })
  .meta({ id: 'WorkflowDryRunRequest' });
export type DryRunBody = z.infer<typeof dryRunBody>;

const TAGS = 20;

export const workflowListQuery = z.strictObject({
  q: text(200)
    .optional()
    .describe('Words; each is looked for in names, tags, domains, steps, handlers and descriptions.'),
  tags: z
    .preprocess(
      (value) =>
        [value]
          .flat()
          .flatMap((part: unknown) => (typeof part === 'string' ? part.split(',') : [part]))
          .filter((part) => part !== ''),
      z.array(z.string().max(200)).max(TAGS),
    )
    .optional()
    .describe('All of them: separated by commas or repeated.'),
  domain: text(200).optional(),
  handler: text(200).optional().describe('Called by a step, an item of a map or a compensation.'),
  step_kind: once(z.enum(STEP_KINDS)).optional().describe('Has such a step.'),
  source: once(z.enum(['code', 'api'])).optional(),
  archived: flag.default(false).describe('Those that take no new runs instead. Default false.'),
  sort: once(z.enum(CATALOG_SORTS))
    .optional()
    .describe(
      'Default relevance with q, else name. success_rate and duration: of the newest 100 runs of each in 30 days, of up to 500 workflows.',
    ),
  ...offsetPaging,
});
export type WorkflowListQuery = z.infer<typeof workflowListQuery>;

export const versionListQuery = z.strictObject({ ...cursorPaging });
export type VersionListQuery = z.infer<typeof versionListQuery>;

export const versionQuery = z.strictObject({
  version: wholeNumber(1, 2_147_483_647).optional().describe('Default the current one.'),
});
export type VersionQuery = z.infer<typeof versionQuery>;

export const archiveQuery = z.strictObject({ reason: text(2_000).optional() });
export type ArchiveQuery = z.infer<typeof archiveQuery>;

/** What names a workflow in a path. */
export const isWorkflowName = (name: string): boolean => WORKFLOW_LIMITS.name.test(name);
