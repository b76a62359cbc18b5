import type { Call } from '../workflow/model.ts';

/** In front of the name of a function, so that no operation shares it. */
export const LAMBDA = 'lambda.';

/** The handler name of a step's run. */
export function stepHandlerName({ kind, handler }: Pick<Call, 'kind' | 'handler'>): string {
  return kind === 'lambda' ? `${LAMBDA}${handler}` : handler;
}
