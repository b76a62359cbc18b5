/**
 * The one way to a definition: everything that is wrong with a workflow is told at once, by step and field. The fields are
 * those of its JSON, e.g. `steps[2].depends_on[0]`, because that is what people write.
 */
import { findJsonProblems, hashJson, ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import { checkWorkflow } from './check.ts';
import { workflowJson } from './json.ts';
import { workflowFromJson, workflowToJson } from './json-map.ts';
import type { Call, WorkflowDefinition, WorkflowInput } from './model.ts';

/** What there is to run; a lookup that is not given is not asked. */
export interface DefinitionLookups {
  readonly hasHandler?: (kind: Call['kind'], handler: string) => boolean;
  /** The workflow registered under a name, or undefined. */
  readonly workflow?: (name: string) => WorkflowInput | undefined;
}

/**
 * A checked definition of `input`.
 *
 * @throws ValidationError with one issue for each problem: `empty`, `duplicate_step`, `unknown_dependency`, `cycle` (with
 * its path), `unreachable`, `missing_handler`, `bad_reference`, `invalid_expression`, `unknown_workflow`, `workflow_cycle`,
 * and what is wrong with single fields.
 */
export function defineWorkflow(input: WorkflowInput, lookups: DefinitionLookups = {}): WorkflowDefinition {
  return definitionOf(workflowToJson(input), lookups);
}

/** The same for JSON of unknown shape, such as a request's body or a parsed YAML file. */
export function defineWorkflowFromJson(json: unknown, lookups: DefinitionLookups = {}): WorkflowDefinition {
  return definitionOf(json, lookups);
}

/** As {@link defineWorkflow}, for what only wants to know what is wrong; empty when nothing is. */
export function findWorkflowIssues(
  input: WorkflowInput,
  lookups: DefinitionLookups = {},
): readonly ValidationIssue[] {
  try {
    defineWorkflow(input, lookups);
    return [];
  } catch (error) {
    if (error instanceof ValidationError) return error.issues;
    throw error;
  }
}

function definitionOf(json: unknown, lookups: DefinitionLookups): WorkflowDefinition {
  const broken = findJsonProblems(json);
  if (broken.length > 0) throw refused(broken);
  const parsed = workflowJson.safeParse(json);
  if (!parsed.success)
    throw refused(
      parsed.error.issues.map((issue) => ({
        field: pathOf(issue.path),
        code: issue.code,
        message: `${issue.message}${given(json, issue.path)}`,
      })),
    );
  const workflow = workflowFromJson(parsed.data);
  const issues = checkWorkflow(workflow, lookups);
  if (issues.length > 0) throw refused(issues);
  return deepFreeze({ ...workflow, hash: hashJson(workflowToJson(workflow)) }) as WorkflowDefinition;
}

function refused(issues: readonly ValidationIssue[]): ValidationError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const where = first === undefined || first.field === '' ? 'workflow' : first.field;
  return new ValidationError(`${where}: ${first?.message ?? 'is not a workflow'}${more}`, { issues });
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** What was given there, where it is short enough to tell. */
function given(json: unknown, path: readonly PropertyKey[]): string {
  let value = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return '';
    value = Object.entries(value).find(([name]) => name === String(key))?.[1];
  }
  return typeof value === 'object' || value === undefined
    ? ''
    : `; given ${JSON.stringify(value).slice(0, 60)}`;
}

/** Definitions are shared and cached by identity: nobody may change one. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
