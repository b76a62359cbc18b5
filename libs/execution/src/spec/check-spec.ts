/** What is wrong with a spec before anything is done with it; the same for every executor. */
import { findJsonProblems, findPartitionIssues } from '@spine/core';
import type { JsonProblem } from '@spine/core';
import { isWorkflowVersion, VERSION_METADATA } from '@spine/database';
import { checkSpecGates } from '../gates/gates-json.ts';
import type { Handler } from '../registry/registry.ts';
import { checkInstants } from './new-run.ts';
import type { SpecIssue } from './new-run.ts';
import type { WorkSpec } from './work-spec.ts';

/** Values no store takes, then the handler's own schema where this process knows it. */
export function checkSpec(spec: WorkSpec, handler: Handler | undefined): readonly SpecIssue[] {
  const problems = [
    ...checkInstants(spec),
    ...checkSpecGates(spec),
    ...under('params', findJsonProblems(spec.params ?? {})),
    ...under('metadata', findJsonProblems(spec.metadata ?? {})),
    ...(spec.kind === 'workflow' ? findPartitionIssues(spec.metadata ?? {}) : []).map((issue) => ({
      ...issue,
      field: `metadata.${issue.field}`,
    })),
    ...checkVersion(spec),
  ];
  if (problems.length > 0 || handler === undefined) return problems;
  const parsed = handler.parse(spec.params ?? {});
  return parsed.ok ? [] : parsed.issues;
}

/** A pin that names no version would fail the run, not the submit. */
function checkVersion({ kind, metadata = {} }: WorkSpec): SpecIssue[] {
  if (kind !== 'workflow' || !Object.hasOwn(metadata, VERSION_METADATA)) return [];
  const value = metadata[VERSION_METADATA];
  if (isWorkflowVersion(value)) return [];
  const message = `must be a version of the workflow, a whole number from 1; given ${String(JSON.stringify(value)).slice(0, 60)}`;
  return [{ field: `metadata.${VERSION_METADATA}`, code: 'invalid_version', message }];
}

function under(root: string, problems: readonly JsonProblem[]): SpecIssue[] {
  return problems.map((problem) => {
    const { field } = problem;
    return {
      ...problem,
      field: field === '' || field.startsWith('[') ? `${root}${field}` : `${root}.${field}`,
    };
  });
}
