/**
 * Workflows as YAML files: `apiVersion`, `kind`, `metadata` (what it is called) and `spec` (what it does). The fields of
 * `spec` are those of a workflow's JSON.
 */
import { stringify } from 'yaml';
import { z } from 'zod';
import { findJsonProblems, ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import { defineWorkflowFromJson } from '../../workflow/define.ts';
import type { DefinitionLookups } from '../../workflow/define.ts';
import { workflowJson } from '../../workflow/json.ts';
import { workflowToJson } from '../../workflow/json-map.ts';
import type { WorkflowDefinition, WorkflowInput } from '../../workflow/model.ts';
import { fieldPath, locate } from './locate.ts';
import { readYaml } from './source.ts';
import type { YamlPlace, YamlSource } from './source.ts';
import { pathIssues } from './zod-issues.ts';

export const WORKFLOW_API_VERSION = 'spine.io/v1';
export const WORKFLOW_KIND = 'Workflow';

const { name, domain, description, tags, ...spec } = workflowJson.shape;

/** The JSON of a whole file. */
export const workflowDocumentJson = z.strictObject({
  apiVersion: z.literal(WORKFLOW_API_VERSION),
  kind: z.literal(WORKFLOW_KIND),
  metadata: z.strictObject({
    name,
    version: z
      .int()
      .min(1)
      .optional()
      .describe('Which version the file describes; no part of the definition.'),
    domain,
    description,
    tags,
  }),
  spec: z.strictObject(spec),
});

const METADATA_FIELDS: readonly string[] = Object.keys({ name, domain, description, tags });

export interface WorkflowDocument {
  readonly definition: WorkflowDefinition;
  /** As the file says it; null where it does not. Whoever stores definitions numbers them. */
  readonly version: number | null;
}

/** `field` is as in the file, e.g. `spec.steps[2].depends_on[0]`; '' for the text itself. */
export interface YamlIssue extends ValidationIssue, YamlPlace {}

/**
 * The workflow that `text` describes.
 *
 * @throws ValidationError whose issues are {@link YamlIssue}s, in the order of the text: everything that is wrong with the
 * YAML, or else with the fields, or else with the workflow.
 */
export function parseWorkflowYaml(text: string, lookups: DefinitionLookups = {}): WorkflowDocument {
  const read = readYaml(text);
  if (read.type === 'broken') throw refused(read.problems.map((problem) => ({ ...problem, field: '' })));
  const broken = findJsonProblems(read.value);
  if (broken.length > 0) throw refused(broken.map((problem) => placed(read, problem)));
  const parsed = workflowDocumentJson.safeParse(read.value);
  if (!parsed.success)
    throw refused(
      pathIssues(parsed.error.issues).map(({ path, code, message }) => ({
        ...locate(read.document, read.lines, path),
        field: fieldOf(path),
        code,
        message,
      })),
    );
  const { version, ...metadata } = parsed.data.metadata;
  try {
    const definition = defineWorkflowFromJson({ ...metadata, ...parsed.data.spec }, lookups);
    return { definition, version: version ?? null };
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    throw refused(error.issues.map((issue) => placed(read, { ...issue, field: inDocument(issue.field) })));
  }
}

/** What is wrong with `text`, for an editor; empty when nothing is. */
export function findWorkflowYamlIssues(text: string, lookups: DefinitionLookups = {}): readonly YamlIssue[] {
  try {
    parseWorkflowYaml(text, lookups);
    return [];
  } catch (error) {
    if (error instanceof YamlError) return error.issues;
    throw error;
  }
}

/** The file of a workflow; `parseWorkflowYaml` makes the same definition of it, hash included. */
export function stringifyWorkflowYaml(workflow: WorkflowInput, version?: number): string {
  const { name: called, domain: area, description: about, tags: marks, ...rest } = workflowToJson(workflow);
  const document = {
    apiVersion: WORKFLOW_API_VERSION,
    kind: WORKFLOW_KIND,
    metadata: { name: called, version, domain: area, description: about, tags: marks },
    spec: rest,
  };
  // Through JSON, so that what is absent is absent, and of a shared object no anchor is made.
  return stringify(JSON.parse(JSON.stringify(document)), {
    schema: 'core',
    aliasDuplicateObjects: false,
    lineWidth: 110,
  });
}

/** A ValidationError whose issues have places. */
class YamlError extends ValidationError {
  declare readonly issues: readonly YamlIssue[];
}

function refused(found: readonly YamlIssue[]): YamlError {
  const issues = [...found].sort((a, b) => a.line - b.line || a.column - b.column);
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const where = first === undefined ? '' : `line ${first.line}, column ${first.column}: `;
  const field = first === undefined || first.field === '' ? '' : `${first.field}: `;
  return new YamlError(`${where}${field}${first?.message ?? 'is no workflow'}${more}`, { issues });
}

function placed(read: Extract<YamlSource, { type: 'read' }>, issue: ValidationIssue): YamlIssue {
  return { ...issue, ...locate(read.document, read.lines, fieldPath(issue.field)) };
}

/** A field of the workflow's JSON as the file has it. */
function inDocument(field: string): string {
  const first = String(fieldPath(field)[0] ?? '');
  return METADATA_FIELDS.includes(first) ? `metadata.${field}` : `spec.${field}`;
}

function fieldOf(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
