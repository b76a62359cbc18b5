/** Workflows in files, looked at on this machine: no API is asked. */
import { ValidationError } from '@spine/core';
import type { WorkflowInput, LintReport } from '@spine/orchestration';
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

/** As the API's: where each finding is in the text, if that is known. */
export interface FileLint extends Omit<LintReport, 'diagnostics'> {
  readonly diagnostics: readonly (LintReport['diagnostics'][number] & {
    readonly line: number | null;
    readonly column: number | null;
  })[];
}

function numberIn(issue: object, name: 'line' | 'column'): number | null {
  const value = (issue as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'number' ? value : null;
}

/** What the linter says of a file; of one that cannot be a workflow, why not. */
export async function lintFile(
  file: WorkflowFile,
  name: string,
  ignore: readonly string[],
): Promise<FileLint> {
  const { DEFINITION_CODE, lintWorkflow } = await import('@spine/orchestration');
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
      line: numberIn(issue, 'line'),
      column: numberIn(issue, 'column'),
    }));
    return {
      workflow: name,
      diagnostics,
      counts: { error: diagnostics.length, warning: 0, info: 0 },
      passed: false,
    };
  }
  const report = lintWorkflow(workflow, { ignore });
  return {
    ...report,
    diagnostics: report.diagnostics.map((diagnostic) => ({ ...diagnostic, line: null, column: null })),
  };
}
