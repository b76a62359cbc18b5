/**
 * Workflows made of workflows. What is composed may be composed further; `defineWorkflow` then checks the whole, so that a
 * part may refer to steps of others. Names are unique in the whole: parts are not renamed.
 */
import { present, ValidationError } from '@spine/core';
import type { RetryPolicy } from '@spine/execution';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { fragmentOf, isSequential, isWorkflow, joinDefaults, listOf, startAfter } from './fragment.ts';
import type { Fragment, Part } from './fragment.ts';

/** One part after the other: a step list where all parts are lists, else a graph. */
export function chain(name: string, ...parts: readonly Part[]): WorkflowInput {
  if (parts.every(isSequential)) return { ...joinDefaults(parts), name, steps: parts.flatMap(listOf) };
  let ends: readonly string[] = [];
  const steps = parts.flatMap((part) => {
    const fragment = startAfter(fragmentOf(part), ends);
    ends = fragment.exits;
    return fragment.steps;
  });
  return { ...joinDefaults(parts), name, steps, policy: { mode: 'parallel' } };
}

/** All parts at the same time. */
export function parallel(name: string, ...parts: readonly Part[]): WorkflowInput {
  const steps = parts.flatMap((part) => fragmentOf(part).steps);
  return { ...joinDefaults(parts), name, steps, policy: { mode: 'parallel' } };
}

export interface ConditionalParts {
  /** e.g. `steps.count.output.n > 0`. */
  readonly condition: string;
  readonly then: Part;
  readonly otherwise?: Part;
  /** The name of the choice. Default `choose`. */
  readonly step?: string;
}

/** One part or the other. @throws ValidationError for a part that does not begin with one step. */
export function conditional(
  name: string,
  { condition, then, otherwise, step = 'choose' }: ConditionalParts,
): WorkflowInput {
  const taken = fragmentOf(then);
  const other = otherwise === undefined ? null : fragmentOf(otherwise);
  const choice: Step = present({
    kind: 'choice' as const,
    name: step,
    routes: [{ condition, thenStep: entryOf(taken, 'then') }],
    elseStep: other === null ? undefined : entryOf(other, 'otherwise'),
  });
  const parts = otherwise === undefined ? [then] : [then, otherwise];
  return {
    ...joinDefaults(parts),
    name,
    steps: [choice, ...taken.steps, ...(other?.steps ?? [])],
    policy: { mode: 'parallel' },
  };
}

/** The part with attempts made again: of a workflow, those of its steps that have no policy of their own. */
export function retry(name: string, part: Part, policy: RetryPolicy): WorkflowInput {
  if (isWorkflow(part)) return { ...part, name, policy: { ...part.policy, onError: 'retry', retry: policy } };
  if (part.kind !== 'operation' && part.kind !== 'lambda')
    throw refused('part', `step ${part.name} is a ${part.kind}; attempts are made of operations and lambdas`);
  return { name, steps: [{ ...part, retry: policy }] };
}

/** All workflows as one, side by side, with the tags of all. */
export function mergeWorkflows(name: string, ...workflows: readonly WorkflowInput[]): WorkflowInput {
  const tags = [...new Set(workflows.flatMap((each) => each.tags ?? []))];
  return { ...parallel(name, ...workflows), ...(tags.length === 0 ? {} : { tags }) };
}

function entryOf({ entries }: Fragment, field: string): string {
  const [only, ...more] = entries;
  if (only === undefined || more.length > 0)
    throw refused(field, `begins with ${entries.length} steps; a choice leads to one`);
  return only;
}

function refused(field: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'bad_part', message }] });
}
