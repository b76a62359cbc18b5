/** Conditions and list expressions of workflows over the same names that references use. */
import { Err, isJsonObject, Ok, parseCondition, parseExpression, SpineError } from '@spine/core';
import type { Expression, JsonValue, Result } from '@spine/core';
import type { Scope } from './template.ts';
import { RUN_ROOTS } from './template.ts';

export interface WorkflowCondition {
  /** Steps it reads. */
  readonly steps: readonly string[];
  holds(scope: Scope): Result<boolean, string>;
}

export interface ListExpression {
  readonly steps: readonly string[];
  list(scope: Scope): Result<readonly JsonValue[], string>;
}

/** @returns what is wrong as text: no expression, too costly, or a step that is not named outright. */
export function parseWorkflowCondition(expression: string): Result<WorkflowCondition, string> {
  return reading(() => parseCondition(expression, RUN_ROOTS)).map(({ parsed, steps }) => ({
    steps,
    holds: (scope) => parsed.holds(valuesFor(parsed, scope)).mapErr((error) => error.message),
  }));
}

/** As {@link parseWorkflowCondition}, for what is to answer a list. */
export function parseListExpression(expression: string): Result<ListExpression, string> {
  return reading(() => parseExpression(expression, RUN_ROOTS, 'items')).map(({ parsed, steps }) => ({
    steps,
    list: (scope) =>
      parsed
        .evaluate(valuesFor(parsed, scope))
        .mapErr((error) => error.message)
        .flatMap((answer) => {
          const value = toJson(answer);
          return Array.isArray(value)
            ? new Ok(value as readonly JsonValue[])
            : new Err('items: the expression answers no list of JSON values');
        }),
  }));
}

type Reads = Pick<Expression, 'reads'>;

function reading<T extends Reads>(
  parse: () => T,
): Result<{ readonly parsed: T; readonly steps: readonly string[] }, string> {
  try {
    const parsed = parse();
    const steps = new Set<string>();
    for (const [root, step] of parsed.reads) {
      if (root !== 'steps') continue;
      // Which steps it waits for has to be known before anything runs.
      if (step === undefined) return new Err('must name the step it reads: steps.name or steps["name"]');
      steps.add(step);
    }
    return new Ok({ parsed, steps: [...steps] });
  } catch (error) {
    return new Err(error instanceof SpineError ? error.message : 'is not an expression');
  }
}

/** Only what the expression reads, so that its cost does not grow with the workflow. */
function valuesFor(parsed: Reads, scope: Scope): Record<string, unknown> {
  const steps: [string, unknown][] = [];
  const values: [string, unknown][] = [];
  for (const [root, step] of parsed.reads) {
    const name = RUN_ROOTS.find((each) => each === root);
    if (name === undefined) continue;
    if (name !== 'steps') values.push([name, scope.root(name)]);
    else if (step !== undefined) steps.push([step, scope.step(step)]);
  }
  const held = Object.fromEntries(steps.filter(([, value]) => value !== undefined));
  return { ...Object.fromEntries(values), steps: held };
}

/** CEL counts in BigInt and keeps instants as Dates; undefined for what JSON has no place for. */
function toJson(value: unknown): JsonValue | undefined {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  if (value instanceof Date) return value.toISOString();
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (Array.isArray(value)) {
    const items = value.map(toJson);
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  if (typeof value !== 'object') return undefined;
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  const mapped = entries.map(([key, each]) => [String(key), toJson(each)] as const);
  if (mapped.some(([, each]) => each === undefined)) return undefined;
  const object: unknown = Object.fromEntries(mapped);
  return isJsonObject(object as JsonValue) ? (object as JsonValue) : undefined;
}
