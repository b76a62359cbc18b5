/**
 * Steps that a run adds to its own plan name handlers, as definitions do: one that nobody who lives knows is refused where
 * it is asked for, and not found out by a run that waits for ever.
 *
 * 1. Looked at once, before the answer of the step is planned; what is planned and recorded is the refusal, so that a replay
 * asks nobody. 2. An answer without modifications costs nothing.
 */
import type { Dispatcher } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import { plannedError } from '../engine/failure.ts';
import { callsIn } from '../workflow/check.ts';
import type { Modification } from '../workflow/modification.ts';
import { stepHandlerName } from './step-handler.ts';

/** The event, or in place of an answer that adds what nobody can execute the failure of its step. */
export async function withKnownHandlers(
  event: WorkflowEvent,
  dispatcher: Pick<Dispatcher, 'knows'>,
): Promise<WorkflowEvent> {
  if (event.type !== 'step_settled' || event.result.status !== 'ok') return event;
  for (const modification of event.result.modifications ?? []) {
    const problem = await unknownHandlerIn(modification, dispatcher);
    if (problem === null) continue;
    const error = plannedError('ModificationError', `step ${event.unit}: ${problem}`);
    return { ...event, result: { status: 'fail', error } };
  }
  return event;
}

async function unknownHandlerIn(
  modification: Modification,
  dispatcher: Pick<Dispatcher, 'knows'>,
): Promise<string | null> {
  if (!('step' in modification) || typeof modification.step === 'string') return null;
  const { step, type } = modification;
  for (const { unit, call } of callsIn({ name: 'modification', steps: [step] })) {
    if (await dispatcher.knows('step', stepHandlerName(call))) continue;
    return `${type}: step ${unit} calls ${call.kind} ${call.handler}, which no live worker knows`;
  }
  return null;
}
