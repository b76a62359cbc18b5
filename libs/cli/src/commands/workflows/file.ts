/** Workflows in files, looked at on this machine: no API is asked. */
import { ValidationError } from '@spine/core';
import type { LintJson, WorkflowInput } from '@spine/orchestration';
import type { CliIo } from '../../frame/io.ts';
import { parseJsonObject, readInput } from '../../frame/input.ts';

/** Whether an argument means a file rather than a published workflow, whose names hold no slash and end otherwise. */
export function isFile(argument: string): boolean {
  return argument === '-' || argument.includes('/') || /\.(ya?ml|json)$/.test(argument);
}

export interface WorkflowFile {
  readonly text: string;
  readonly format: 'yaml' | 'json';
}

/** @throws UsageError */
export async function readWorkflowFile(
  io: Pick<CliIo, 'stdin' | 'cwd'>,
  file: string,
): Promise<WorkflowFile> {
  const text = await readInput(io, file);
  const isJson = file.endsWith('.json') || (file === '-' && text.trimStart().startsWith('{'));
  return { text, format: isJson ? 'json' : 'yaml' };
}

/** @throws ValidationError with every issue, of YAML by line and column; UsageError for JSON that is none */
export async function definitionOf({ text, format }: WorkflowFile): Promise<WorkflowInput> {
  const { defineWorkflowFromJson, parseWorkflowYaml } = await import('@spine/orchestration');
  return format === 'yaml'
    ? parseWorkflowYaml(text).definition
    : defineWorkflowFromJson(parseJsonObject(text, 'the definition'));
}

function numberIn(issue: object, name: 'line' | 'column'): { line?: number; column?: number } {
  const value = (issue as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'number' ? { [name]: value } : {};
}

/** What the linter says of a file; of one that cannot be a workflow, why not. */
export async function lintFile(
  file: WorkflowFile,
  name: string,
  ignore: readonly string[],
): Promise<LintJson> {
  const { DEFINITION_CODE, lintToJson, lintWorkflow } = await import('@spine/orchestration');
  let workflow: WorkflowInput;
  try {
    workflow = await definitionOf(file);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const diagnostics = error.issues.map((issue) => ({
      code: DEFINITION_CODE,
      severity: 'error' as const,
      field: issue.field,
      message: issue.message,
      ...numberIn(issue, 'line'),
      ...numberIn(issue, 'column'),
    }));
    return lintToJson(name, diagnostics);
  }
  return lintToJson(workflow.name, lintWorkflow(workflow, { ignore }).diagnostics);
}
