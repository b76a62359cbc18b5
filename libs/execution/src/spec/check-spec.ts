/** What is wrong with a spec before anything is done with it; the same for every executor. */
import { findJsonProblems } from '@spine/core';
import type { JsonProblem } from '@spine/core';
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
  ];
  if (problems.length > 0 || handler === undefined) return problems;
  const parsed = handler.parse(spec.params ?? {});
  return parsed.ok ? [] : parsed.issues;
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
