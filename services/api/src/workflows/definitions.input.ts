/** Workflows as they are posted, YAML or JSON, and what is wrong with them at the place where it is. */
import { ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import type { PublishOutcome } from '@spine/database';
import {
  DEFINITION_CODE,
  findWorkflowYamlIssues,
  lintWorkflow,
  parseWorkflowYaml,
  postWorkflow,
  publishedLookups,
  workflowFromJson,
} from '@spine/orchestration';
import type {
  LintOptions,
  LookupServices,
  PlacedDiagnostic,
  PostedChange,
  WorkflowInput,
} from '@spine/orchestration';
import { invalid } from '../http/problem.ts';
import type { FieldError, HttpProblem } from '../http/problem.ts';
import type { WorkflowBody } from './definitions.schemas.ts';

export type PostedText = Pick<WorkflowBody, 'yaml_content' | 'definition'>;

/**
 * The workflow of a body that has one of the two.
 * @throws HttpProblem for YAML that is none, with line and column.
 */
export function postedWorkflow({ yaml_content: yaml, definition }: PostedText): WorkflowInput {
  if (yaml !== undefined) {
    try {
      return parseWorkflowYaml(yaml).definition;
    } catch (error) {
      throw error instanceof ValidationError ? invalid(error.issues.map(inYaml)) : error;
    }
  }
  if (definition !== undefined) return workflowFromJson(definition);
  throw invalid([
    { field: 'definition', code: 'required', message: 'give either yaml_content or definition' },
  ]);
}

/** @throws HttpProblem for what cannot be published, at its place in the body. */
export async function publishPosted(
  services: LookupServices,
  body: PostedText,
  workflow: WorkflowInput,
  change: PostedChange & { readonly changelog: string | null },
): Promise<PublishOutcome> {
  try {
    return await postWorkflow(services, workflow, change);
  } catch (error) {
    throw error instanceof ValidationError ? await placed(services, body, workflow, error) : error;
  }
}

async function placed(
  services: LookupServices,
  { yaml_content: yaml }: PostedText,
  workflow: WorkflowInput,
  error: ValidationError,
): Promise<HttpProblem> {
  if (yaml === undefined) {
    return invalid(error.issues.map((issue) => ({ ...issue, field: `definition.${issue.field}` })));
  }
  // Read once more, with what is there to run, for the places.
  const issues = findWorkflowYamlIssues(yaml, await publishedLookups(services, workflow));
  return invalid((issues.length > 0 ? issues : error.issues).map(inYaml));
}

/** The text itself has no field. */
function inYaml<T extends ValidationIssue>(issue: T): T & FieldError {
  return { ...issue, field: issue.field === '' ? 'yaml_content' : issue.field };
}

/** Everything there is to say of a body's workflow; what keeps it from being one is said alone. */
export async function lintPosted(
  services: LookupServices,
  body: PostedText,
  options: LintOptions,
): Promise<{ readonly workflow: string; readonly diagnostics: readonly PlacedDiagnostic[] }> {
  const { yaml_content: yaml, definition } = body;
  const broken = yaml === undefined ? [] : findWorkflowYamlIssues(yaml).map(inYaml);
  if (broken.length > 0) {
    return { workflow: '', diagnostics: broken.map(asDiagnostic) };
  }
  const workflow = postedWorkflow({ yaml_content: yaml, definition });
  const lookups = await publishedLookups(services, workflow);
  const report = lintWorkflow(workflow, { ...options, lookups });
  if (yaml === undefined) return report;
  const places = findWorkflowYamlIssues(yaml, lookups).map(inYaml).map(asDiagnostic);
  const found = report.diagnostics.filter(({ code }) => code !== DEFINITION_CODE);
  return { workflow: report.workflow, diagnostics: [...places, ...found] };
}

function asDiagnostic({ field, message, line, column }: FieldError): PlacedDiagnostic {
  return {
    code: DEFINITION_CODE,
    severity: 'error',
    field,
    message,
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}
