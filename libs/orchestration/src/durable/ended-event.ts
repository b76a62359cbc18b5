/** What a workflow is told of a run that it has started, once that has ended. */
import { isJsonObject } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import type { EndedChild } from '@spine/database';
import type { Payloads } from '@spine/execution';
import type { WorkflowEvent } from '../engine/event.ts';
import { settledEvent } from './effects.ts';
import { errorInfoOf, stepResultOf } from './step-outcome.ts';
import type { EndedStep } from './step-outcome.ts';

/** Null for a run whose end nobody waits for. @throws PayloadError when its result is outside of its row and cannot be had. */
export async function endedEventOf(
  payloads: Pick<Payloads, 'result'>,
  child: EndedChild,
): Promise<WorkflowEvent | null> {
  const { work, status, error } = child;
  if (work === null || work.kind === 'detached') return null;
  const ended = { status, error, result: await payloads.result(child) };
  if (work.kind !== 'child') return settledEvent(work, stepResultOf(ended));
  return { type: 'child_settled', unit: work.unit, attempt: work.attempt, ...childEnd(ended) };
}

type ChildSettled = Extract<WorkflowEvent, { type: 'child_settled' }>;

/** A child's result is its outputs. */
function childEnd({ status, result, error }: EndedStep): Pick<ChildSettled, 'status' | 'outputs' | 'error'> {
  switch (status) {
    case 'completed':
      return { status, outputs: outputsOf(result as JsonValue), error: null };
    case 'cancelled':
      return { status, outputs: {}, error: null };
    case 'timed_out':
      return { status, outputs: {}, error: errorInfoOf(error) };
    case 'failed':
    case 'dead_lettered':
    case 'pending':
    case 'queued':
    case 'running':
    case 'paused':
      return { status: 'failed', outputs: {}, error: errorInfoOf(error) };
  }
}

function outputsOf(result: JsonValue): JsonObject {
  return isJsonObject(result) ? result : {};
}
