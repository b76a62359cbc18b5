/** Conditions in data: expressions that answer true or false, e.g. `event.data.size > 100`. */
import type { ValidationError } from '../errors/permanent.ts';
import { Err, Ok } from '../result.ts';
import type { Result } from '../result.ts';
import { parseExpression, refusedExpression } from './expression.ts';
import type { Expression } from './expression.ts';

export { CONDITION_LIMITS } from './expression.ts';

export interface Condition extends Pick<Expression, 'expression' | 'reads'> {
  /**
   * Whether it holds. An error says why it cannot be told: a field that is not there, values that cannot be compared, an
   * answer that is neither true nor false.
   */
  holds(values: Readonly<Record<string, unknown>>): Result<boolean, ValidationError>;
}

/**
 * Reads a condition over the names given; see {@link parseExpression} for its limits.
 *
 * @throws ValidationError naming `field` for what is no expression, or costs too much.
 */
export function parseCondition(expression: string, names: readonly string[], field = 'condition'): Condition {
  const parsed = parseExpression(expression, names, field);
  return {
    expression,
    reads: parsed.reads,
    holds: (values) =>
      parsed
        .evaluate(values)
        .flatMap((answer) =>
          typeof answer === 'boolean'
            ? new Ok(answer)
            : new Err(refusedExpression(field, `answers ${typeof answer} and not true or false`)),
        ),
  };
}
