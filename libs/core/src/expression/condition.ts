/**
 * Conditions in data: expressions in the Common Expression Language (CEL), e.g. `event.data.size > 100`.
 *
 * 1. An expression is parsed and interpreted, never compiled to code; it reads own properties of what it is given, and
 * calls CEL's own functions alone. 2. What it costs is bounded: its length, nodes and depth are, macros do not nest (each
 * walks a list, so nested ones multiply), and `matches` is not there: the patterns of the engine can take exponential time.
 * 3. What it may refer to is fixed when it is parsed; an unknown name is an error then, not at two in the morning.
 */
import { Environment } from '@marcbachmann/cel-js';
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { ValidationError } from '../errors/permanent.ts';
import { Err, Ok } from '../result.ts';
import type { Result } from '../result.ts';

export const CONDITION_LIMITS = { length: 2_000, nodes: 200, depth: 24 } as const;

/** What walks a list. */
const MACROS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);
const REFUSED: ReadonlySet<string> = new Set(['matches']);

export interface Condition {
  readonly expression: string;
  /**
   * Whether it holds. An error says why it cannot be told: a field that is not there, values that cannot be compared, an
   * answer that is neither true nor false.
   */
  holds(values: Readonly<Record<string, unknown>>): Result<boolean, ValidationError>;
}

/**
 * Reads an expression over the names given.
 *
 * @throws ValidationError naming `field` for what is no expression, or costs too much.
 */
export function parseCondition(expression: string, names: readonly string[], field = 'condition'): Condition {
  if (expression.length > CONDITION_LIMITS.length)
    throw refused(field, `is longer than ${CONDITION_LIMITS.length} characters`);
  const environment = names.reduce(
    (known, name) => known.registerVariable(name, 'dyn'),
    new Environment({ limits: { maxAstNodes: CONDITION_LIMITS.nodes, maxDepth: CONDITION_LIMITS.depth } }),
  );
  let parsed: ParseResult;
  try {
    parsed = environment.parse(expression);
  } catch (error) {
    throw refused(field, `is not an expression: ${firstLine(error)}`);
  }
  checkCost(parsed.ast, field);
  const checked = parsed.check();
  if (!checked.valid) throw refused(field, `is not an expression: ${firstLine(checked.error)}`);
  return {
    expression,
    holds: (values) => {
      try {
        const answer: unknown = parsed(values);
        if (typeof answer === 'boolean') return new Ok(answer);
        return new Err(refused(field, `answers ${typeof answer} and not true or false`));
      } catch (error) {
        return new Err(refused(field, firstLine(error)));
      }
    },
  };
}

function checkCost(node: ASTNode, field: string, within: string | null = null): void {
  const called = node.op === 'rcall' || node.op === 'call' ? node.args[0] : null;
  if (called !== null && REFUSED.has(called))
    throw refused(
      field,
      `uses ${called}(), which is not there; compare with ==, startsWith, endsWith or contains`,
    );
  const macro = called !== null && MACROS.has(called) ? called : null;
  if (macro !== null && within !== null)
    throw refused(field, `uses ${macro}() inside ${within}(); they do not nest`);
  for (const child of childrenOf(node.args)) checkCost(child, field, macro ?? within);
}

function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  return isNode(args) ? [args] : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

function refused(field: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, {
    issues: [{ field, code: 'invalid_expression', message }],
  });
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}
