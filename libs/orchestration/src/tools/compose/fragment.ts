/** A part of a larger workflow: its steps with every dependency written down, where it begins and where it ends. */
import { present, ValidationError } from '@spine/core';
import { buildGraph } from '../../workflow/graph.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';

/** A step, or a workflow whose steps become steps of the larger one. */
export type Part = Step | WorkflowInput;

export interface Fragment {
  readonly steps: readonly Step[];
  /** Steps that wait for no other of the part. */
  readonly entries: readonly string[];
  /** Steps that no other of the part waits for. */
  readonly exits: readonly string[];
}

export function isWorkflow(part: Part): part is WorkflowInput {
  return 'steps' in part;
}

/** Whether a part is a list of steps one after the other. */
export function isSequential(part: Part): boolean {
  return !isWorkflow(part) || (part.policy?.mode ?? 'sequential') === 'sequential';
}

/**
 * @throws ValidationError for a part with what holds for whole runs alone, and for a sequential one with a choice, which
 * means something else where dependencies are written down.
 */
export function fragmentOf(part: Part): Fragment {
  if (!isWorkflow(part)) return { steps: [part], entries: [part.name], exits: [part.name] };
  checkPart(part);
  const mode = part.policy?.mode ?? 'sequential';
  const graph = buildGraph(part.steps, mode);
  if (mode === 'sequential' && part.steps.some(({ kind }) => kind === 'choice'))
    throw refused(
      part,
      'a sequential workflow with a choice',
      'give it the mode parallel, or start it as a sub-workflow',
    );
  const steps = inheritPolicy(part).map((step, at) => {
    const before = mode === 'sequential' ? part.steps[at - 1]?.name : undefined;
    return before === undefined ? step : after(step, [before]);
  });
  return {
    steps,
    entries: graph.roots,
    exits: graph.names.filter((name) => (graph.outgoing.get(name) ?? []).length === 0),
  };
}

/** The steps of a part that is appended to a list. @throws ValidationError as {@link fragmentOf} for whole runs' options. */
export function listOf(part: Part): readonly Step[] {
  if (!isWorkflow(part)) return [part];
  checkPart(part);
  return inheritPolicy(part);
}

/** The step with more to wait for. */
export function after(step: Step, names: readonly string[]): Step {
  if (names.length === 0) return step;
  return { ...step, dependsOn: [...new Set([...(step.dependsOn ?? []), ...names])] };
}

/** The fragment with its first steps waiting for `names`. */
export function startAfter(fragment: Fragment, names: readonly string[]): Fragment {
  const entries = new Set(fragment.entries);
  return {
    ...fragment,
    steps: fragment.steps.map((step) => (entries.has(step.name) ? after(step, names) : step)),
  };
}

/** Defaults of all parts. @throws ValidationError for a param that two parts give different defaults. */
export function joinDefaults(parts: readonly Part[]): Pick<WorkflowInput, 'defaults'> {
  const joined = new Map<string, { readonly value: string; readonly part: WorkflowInput }>();
  for (const part of parts.filter(isWorkflow))
    for (const [name, given] of Object.entries(part.defaults ?? {})) {
      const value = JSON.stringify(given);
      const known = joined.get(name);
      if (known !== undefined && known.value !== value)
        throw refused(part, `another default of ${name} than ${known.part.name}`, 'give both the same');
      joined.set(name, { value, part });
    }
  const defaults = Object.assign(
    {},
    ...parts.filter(isWorkflow).map((part) => part.defaults ?? {}),
  ) as NonNullable<WorkflowInput['defaults']>;
  return joined.size === 0 ? {} : { defaults };
}

/** Steps say themselves what their workflow said for them. */
function inheritPolicy({ steps, policy }: WorkflowInput): readonly Step[] {
  if (policy?.onError === undefined && policy?.retry === undefined) return steps;
  return steps.map((step) => {
    const own = present({ ...step, onError: step.onError ?? policy.onError });
    if (own.kind !== 'operation' && own.kind !== 'lambda') return own;
    return present({ ...own, retry: own.retry ?? (own.onError === 'retry' ? policy.retry : undefined) });
  });
}

function checkPart(part: WorkflowInput): void {
  const { timeoutSeconds, maxConcurrency, onFailure } = part.policy ?? {};
  const found = Object.entries({
    'policy.timeout_seconds': timeoutSeconds,
    'policy.max_concurrency': maxConcurrency,
    'policy.on_failure': onFailure,
    concurrency: part.concurrency,
    outputs: part.outputs,
  }).find(([, value]) => value !== undefined);
  if (found !== undefined)
    throw refused(
      part,
      `${found[0]}, which holds for a whole run`,
      'say it of the larger workflow, or start the part as a sub-workflow',
    );
}

function refused(part: WorkflowInput, what: string, instead: string): ValidationError {
  const message = `has ${what}; ${instead}`;
  return new ValidationError(`part ${part.name}: ${message}`, {
    issues: [{ field: part.name, code: 'bad_part', message }],
  });
}
