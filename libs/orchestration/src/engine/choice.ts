/** Which way a run goes: by a choice, or by the word of a step's own result. */
import type { ErrorInfo } from '@spine/core';
import type { CompiledBody } from '../workflow/compile.ts';
import type { Edge } from '../workflow/graph.ts';
import type { Draft } from './draft.ts';
import { plannedError, wrongParams } from './failure.ts';
import { runScope } from './scope.ts';
import { settleStep } from './settle.ts';
import type { StepState } from './state.ts';

/** The first route whose condition holds; the output says which: `{ chosen }`. */
export function chooseRoute(
  draft: Draft,
  name: string,
  { routes, step }: Extract<CompiledBody, { kind: 'choice' }>,
): void {
  const scope = runScope(draft);
  let chosen = step.elseStep ?? null;
  for (const route of routes) {
    const holds = route.condition.holds(scope);
    if (holds.isErr()) return settleStep(draft, name, { status: 'failed', error: wrongParams(holds.error) });
    if (!holds.value) continue;
    chosen = route.thenStep;
    break;
  }
  settleStep(draft, name, { status: 'completed', output: { chosen }, chosen });
}

/** Whether the step an edge leads to may run, as far as this edge is asked. */
export function leadsOn(draft: Draft, name: string, from: StepState, edge: Edge): boolean {
  if (from.status === 'not_taken') return false;
  if (edge.kind === 'order') return true;
  const chosen = (edge.chosenAs ?? edge.to) === from.chosen;
  if (edge.kind === 'route') return chosen;
  const byChoice = draft.graph.step(name)?.kind === 'choice';
  return byChoice || draft.graph.sequential || from.chosen === null || chosen;
}

/**
 * Lets a result choose the next step: checks that it may, and in a sequential run passes over the steps between.
 *
 * @returns why it may not; null when it may.
 */
export function chooseNext(draft: Draft, name: string, next: string): ErrorInfo | null {
  if (draft.graph.sequential) {
    const between = draft.graph.between(name, next);
    if (between === null)
      return plannedError('NextStepError', `step ${name} chose ${next}, which does not come after it`);
    for (const passed of between)
      if (draft.step(passed).status === 'pending') settleStep(draft, passed, { status: 'not_taken' });
    return null;
  }
  const known = draft.graph.outgoing(name).some((edge) => (edge.chosenAs ?? edge.to) === next);
  return known
    ? null
    : plannedError('NextStepError', `step ${name} chose ${next}, which does not depend on it`);
}
