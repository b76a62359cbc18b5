/** What is wrong with a spec before anything is done with it; the same for every executor. */
import { findJsonProblems, findPartitionIssues } from '@spine/core';
import type { JsonProblem } from '@spine/core';
import { isWorkflowVersion, VERSION_METADATA } from '@spine/database';
import { checkSpecGates } from '../gates/gates-json.ts';
import type { Handler } from '../registry/registry.ts';
import { checkInstants, NO_ISSUES } from './new-run.ts';
import type { SpecIssue } from './new-run.ts';
import type { WorkSpec } from './work-spec.ts';

/** Values no store takes, then the handler's own schema where this process knows it. */
export function checkSpec(spec: WorkSpec, handler: Handler | undefined): readonly SpecIssue[] {
  const issues: SpecIssue[] = [];
  issues.push(...checkInstants(spec));
  issues.push(...checkSpecGates(spec));
  if (spec.params !== undefined) issues.push(...under('params', findJsonProblems(spec.params)));
  if (spec.metadata !== undefined) {
    issues.push(...under('metadata', findJsonProblems(spec.metadata)));
    if (spec.kind === 'workflow') issues.push(...checkWorkflowMetadata(spec.metadata));
  }
  if (issues.length > 0 || handler === undefined) return issues;
  const parsed = handler.parse(spec.params ?? {});
  return parsed.ok ? issues : parsed.issues;
}

function checkWorkflowMetadata(metadata: Readonly<Record<string, unknown>>): SpecIssue[] {
  return [
    ...findPartitionIssues(metadata).map((issue) => ({ ...issue, field: `metadata.${issue.field}` })),
    ...checkVersion(metadata),
  ];
}

/** A pin that names no version would fail the run, not the submit. */
function checkVersion(metadata: Readonly<Record<string, unknown>>): SpecIssue[] {
  if (!Object.hasOwn(metadata, VERSION_METADATA)) return [];
  const value = metadata[VERSION_METADATA];
  if (isWorkflowVersion(value)) return [];
  const message = `must be a version of the workflow, a whole number from 1; given ${String(JSON.stringify(value)).slice(0, 60)}`;
  return [{ field: `metadata.${VERSION_METADATA}`, code: 'invalid_version', message }];
}

function under(root: string, problems: readonly JsonProblem[]): readonly SpecIssue[] {
  if (problems.length === 0) return NO_ISSUES;
  return problems.map((problem) => {
    const { field } = problem;
    return {
      ...problem,
      field: field === '' || field.startsWith('[') ? `${root}${field}` : `${root}.${field}`,
    };
  });
}
