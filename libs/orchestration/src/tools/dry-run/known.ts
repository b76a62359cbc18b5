/** What can be told of a workflow from a run's params alone. */
import { parseCondition, parseExpression, SpineError } from '@spine/core';
import type { JsonObject, ValidationIssue } from '@spine/core';
import type { Compilation, CompiledBody } from '../../workflow/compile.ts';
import type { Step } from '../../workflow/model.ts';
import { lookUp, RUN_ROOTS } from '../../workflow/template.ts';
import type { ObjectTemplate, Reference, Scope } from '../../workflow/template.ts';

/** A scope in which only the params are known. */
export function paramsScope(params: JsonObject): Scope {
  return { root: (name) => (name === 'params' ? params : undefined), step: () => undefined };
}

/** Whether a condition holds; null where it reads more than the params, or cannot be answered. */
export function decide(condition: string, params: JsonObject): boolean | null {
  try {
    const parsed = parseCondition(condition, RUN_ROOTS);
    if (!readsParamsAlone(parsed.reads)) return null;
    return parsed.holds({ params }).unwrapOr(null);
  } catch (error) {
    if (error instanceof SpineError) return null;
    throw error;
  }
}

/** References to params that the run does not have. */
export function missingParams(
  step: Step,
  index: number,
  compilation: Compilation,
  params: JsonObject,
): ValidationIssue[] {
  const scope = paramsScope(params);
  return referencesOf(compilation)
    .filter((reference) => reference.root === 'params' && lookUp(reference, scope).isErr())
    .map(({ text }) => ({
      field: `steps[${index}]`,
      code: 'missing_param',
      message: `step ${step.name}: {{ ${text} }} has no value`,
    }));
}

/** A step's params with those references filled in that only need the run's. */
export function knownParams(step: Step, { compiled }: Compilation, scope: Scope): JsonObject {
  const written = 'params' in step ? (step.params ?? {}) : {};
  const { body } = compiled;
  if (body.kind !== 'call' && body.kind !== 'workflow') return written;
  return body.params.fill(scope).unwrapOr(written);
}

/** How many items a map has; null where only the run will tell. */
export function knownItems(step: Step, { compiled }: Compilation, scope: Scope): number | null {
  if (step.kind !== 'map' || compiled.body.kind !== 'map') return null;
  if (typeof step.items !== 'string') return step.items.length;
  const { items } = compiled.body;
  const list =
    items.type === 'template'
      ? items.template.fill(scope).unwrapOr(null)
      : readsParamsAlone(parseExpression(step.items, RUN_ROOTS).reads)
        ? items.expression.list(scope).unwrapOr(null)
        : null;
  return Array.isArray(list) ? list.length : null;
}

function readsParamsAlone(reads: readonly (readonly string[])[]): boolean {
  return reads.every(([root]) => root === 'params');
}

function referencesOf({ compiled }: Compilation): readonly Reference[] {
  const undo: readonly ObjectTemplate[] = compiled.compensate === null ? [] : [compiled.compensate.params];
  return [...bodyReferences(compiled.body), ...undo.flatMap(({ references }) => references)];
}

function bodyReferences(body: CompiledBody): readonly Reference[] {
  switch (body.kind) {
    case 'call':
    case 'workflow':
      return body.params.references;
    case 'approval':
      return body.fields.references;
    case 'wait':
      return body.until?.references ?? [];
    case 'map':
      return [
        ...(body.items.type === 'template' ? body.items.template.references : []),
        ...body.iterator.flatMap(({ params }) => params.references),
      ];
    case 'choice':
      return [];
  }
}
