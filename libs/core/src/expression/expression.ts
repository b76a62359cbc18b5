/**
 * Expressions in data, in the Common Expression Language (CEL), e.g. `event.data.rows.filter(row, row.size > 100)`.
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

export interface Expression {
  readonly expression: string;
  /**
   * What it reads of the names it was given, each as far as it is spelled out: `steps.a.output.n > params[steps.b.key]`
   * reads `['steps', 'a', 'output', 'n']`, `['params']` and `['steps', 'b', 'key']`.
   */
  readonly reads: readonly (readonly string[])[];
  /**
   * What it answers; whole numbers may be BigInts, instants are Dates. An error says why there is no answer: a field that
   * is not there, values that cannot be compared.
   */
  evaluate(values: Readonly<Record<string, unknown>>): Result<unknown, ValidationError>;
}

/**
 * Reads an expression over the names given.
 *
 * @throws ValidationError naming `field` for what is no expression, or costs too much.
 */
export function parseExpression(
  expression: string,
  names: readonly string[],
  field = 'expression',
): Expression {
  if (expression.length > CONDITION_LIMITS.length)
    throw refusedExpression(field, `is longer than ${CONDITION_LIMITS.length} characters`);
  const environment = names.reduce(
    (known, name) => known.registerVariable(name, 'dyn'),
    new Environment({ limits: { maxAstNodes: CONDITION_LIMITS.nodes, maxDepth: CONDITION_LIMITS.depth } }),
  );
  let parsed: ParseResult;
  try {
    parsed = environment.parse(expression);
  } catch (error) {
    throw refusedExpression(field, `is not an expression: ${firstLine(error)}`);
  }
  checkCost(parsed.ast, field);
  const checked = parsed.check();
  if (!checked.valid) throw refusedExpression(field, `is not an expression: ${firstLine(checked.error)}`);
  const known: ReadonlySet<string> = new Set(names);
  return {
    expression,
    reads: readsOf(parsed.ast).filter(([root]) => root !== undefined && known.has(root)),
    evaluate: (values) => {
      try {
        return new Ok(parsed(values) as unknown);
      } catch (error) {
        return new Err(refusedExpression(field, firstLine(error)));
      }
    },
  };
}

/** The error of an expression that cannot be read or answered. */
export function refusedExpression(field: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, {
    issues: [{ field, code: 'invalid_expression', message }],
  });
}

function checkCost(node: ASTNode, field: string, within: string | null = null): void {
  const called = node.op === 'rcall' || node.op === 'call' ? node.args[0] : null;
  if (called !== null && REFUSED.has(called))
    throw refusedExpression(
      field,
      `uses ${called}(), which is not there; compare with ==, startsWith, endsWith or contains`,
    );
  const macro = called !== null && MACROS.has(called) ? called : null;
  if (macro !== null && within !== null)
    throw refusedExpression(field, `uses ${macro}() inside ${within}(); they do not nest`);
  for (const child of childrenOf(node.args)) checkCost(child, field, macro ?? within);
}

/** Every chain of members that starts at a name, as long as its keys are written down. */
function readsOf(node: ASTNode): string[][] {
  const chain = chainOf(node);
  if (chain !== null) return [chain];
  return childrenOf(node.args).flatMap(readsOf);
}

function chainOf(node: ASTNode): string[] | null {
  if (node.op === 'id') return [node.args];
  if (node.op !== '.' && node.op !== '.?' && node.op !== '[]' && node.op !== '[?]') return null;
  const [object, key] = node.args;
  const written = typeof key === 'string' ? key : constantText(key);
  const before = written === null ? null : chainOf(object);
  return before === null || written === null ? null : [...before, written];
}

function constantText(node: ASTNode): string | null {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : null;
}

function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  return isNode(args) ? [args] : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value;
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}
