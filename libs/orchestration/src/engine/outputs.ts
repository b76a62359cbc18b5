/** What a run leaves behind. */
import { Ok } from '@spine/core';
import type { JsonObject, Result } from '@spine/core';
import { parseObjectTemplate, RUN_ROOTS } from '../workflow/template.ts';
import type { Draft } from './draft.ts';
import { wrongParams } from './failure.ts';
import { runScope } from './scope.ts';
import { failedAt, stop } from './settle.ts';
import type { RunOutcome } from './state.ts';
import { end } from './undo.ts';

/** Ends a run whose steps have all settled; outputs that lead nowhere are its failure. */
export function completeRun(draft: Draft): void {
  const outputs = outputsOf(draft);
  if (outputs.isErr()) return stop(draft, failedAt(null, wrongParams(`outputs: ${outputs.error}`)), 'drain');
  end(draft, { status: 'completed', step: null, error: null, next: null }, outputs.value);
}

function outputsOf(draft: Draft): Result<JsonObject, string> {
  const { outputs } = draft.definition;
  if (outputs === undefined) return new Ok(collect(draft, draft.graph.leaves));
  return parseObjectTemplate(outputs, RUN_ROOTS, []).fill(runScope(draft));
}

/** What the run that goes on is given: the outputs of all steps that have completed, by name. */
export function keptOutputs(draft: Draft, outcome: RunOutcome): JsonObject {
  return outcome.next?.keepOutputs === true ? collect(draft, draft.graph.names()) : {};
}

function collect(draft: Draft, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => {
      const { status, output } = draft.step(name);
      return status === 'completed' && output !== null ? [[name, output] as const] : [];
    }),
  );
}
