/** What is different between two versions of a workflow, by steps and fields. Pure. */
import { canonicalJson } from '@spine/core';
import type { JsonValue } from '@spine/core';
import { workflowToJson } from './json-map.ts';
import type { WorkflowInput } from './model.ts';

/** A field that differs, in the JSON of what it belongs to; null where it is not there. */
export interface FieldChange {
  readonly field: string;
  readonly before: JsonValue;
  readonly after: JsonValue;
}

export interface StepChange {
  readonly step: string;
  readonly fields: readonly FieldChange[];
}

export interface WorkflowDiff {
  /** Steps that only the second has, in its order. */
  readonly added: readonly string[];
  /** Steps that only the first has, in its order. */
  readonly removed: readonly string[];
  /** Steps of both that differ, in the order of the second. */
  readonly changed: readonly StepChange[];
  /** Whether steps that both have stand in another order, which is what a sequential workflow runs by. */
  readonly reordered: boolean;
  /** Everything beside the steps. */
  readonly fields: readonly FieldChange[];
  /** Nothing differs. */
  readonly isEqual: boolean;
}

type Fields = Readonly<Record<string, JsonValue>>;

/** Steps are the same by their name; a step that was renamed is one removed and one added. */
export function diffWorkflows(before: WorkflowInput, after: WorkflowInput): WorkflowDiff {
  const [a, b] = [partsOf(before), partsOf(after)];
  const added = [...b.steps.keys()].filter((name) => !a.steps.has(name));
  const removed = [...a.steps.keys()].filter((name) => !b.steps.has(name));
  const changed = [...b.steps].flatMap(([step, fields]): StepChange[] => {
    const earlier = a.steps.get(step);
    const differing = earlier === undefined ? [] : changesOf(earlier, fields);
    return differing.length === 0 ? [] : [{ step, fields: differing }];
  });
  const kept = [...a.steps.keys()].filter((name) => b.steps.has(name));
  const keptAfter = [...b.steps.keys()].filter((name) => a.steps.has(name));
  const reordered = kept.some((name, index) => name !== keptAfter[index]);
  const fields = changesOf(a.rest, b.rest);
  const isEqual = added.length + removed.length + changed.length + fields.length === 0 && !reordered;
  return { added, removed, changed, reordered, fields, isEqual };
}

function partsOf(workflow: WorkflowInput): {
  readonly steps: ReadonlyMap<string, Fields>;
  readonly rest: Fields;
} {
  // What is absent is absent, and everything is a value of JSON.
  const { steps, ...rest } = JSON.parse(JSON.stringify(workflowToJson(workflow))) as Fields & {
    readonly steps: readonly (Fields & { readonly name: string })[];
  };
  return { steps: new Map(steps.map((step) => [step.name, step])), rest };
}

function changesOf(before: Fields, after: Fields): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((field): FieldChange[] => {
    const [from, to] = [valueOf(before, field), valueOf(after, field)];
    return canonicalJson(from) === canonicalJson(to) ? [] : [{ field, before: from, after: to }];
  });
}

function valueOf(fields: Fields, name: string): JsonValue {
  return Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
}
