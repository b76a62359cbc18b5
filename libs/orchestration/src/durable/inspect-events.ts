/** The events of a workflow's history as JSON for people and programs outside. Pure. */
import { assertNever } from '@spine/core';
import type { ErrorInfo, JsonObject, JsonValue } from '@spine/core';
import type { RecordedEvent, WorkflowEvent } from '../engine/event.ts';
import { unitKey } from '../engine/unit.ts';
import type { Modification } from '../workflow/modification.ts';
import { modificationToJson } from '../workflow/modification-json.ts';
import type { StepResult } from '../workflow/step-result.ts';

export const WORKFLOW_EVENT_TYPES = [
  'started',
  'step_settled',
  'map_item_settled',
  'child_settled',
  'timer_fired',
  'approval_decided',
  'signal',
  'cancel',
  'pause',
  'resume',
  'modified',
] as const satisfies readonly WorkflowEvent['type'][];

export interface WorkflowEventJson {
  readonly type: WorkflowEvent['type'];
  /** What it is about: a step, an item such as `load[3]`, a compensation `load!undo`; null for the whole run. */
  readonly unit: string | null;
  readonly attempt: number | null;
  readonly data: JsonObject;
  /** Why it has counted for nothing; null for what has counted. */
  readonly ignored: string | null;
}

/**
 * @param omitted whether the large fields of the event were left out (`listWorkflowHistory`): they are null then, or missing.
 */
export function workflowEventToJson(event: RecordedEvent, omitted = false): WorkflowEventJson {
  const of = (data: JsonObject, unit: string | null = null, attempt: number | null = null) => ({
    type: event.type,
    unit,
    attempt,
    data,
    ignored: event.ignored ?? null,
  });
  switch (event.type) {
    case 'started':
      return of(startedData(event));
    case 'step_settled':
      return of(resultData(event.result, omitted), event.unit, event.attempt);
    case 'map_item_settled': {
      const { step, index, attempt, result } = event;
      return of(resultData(result, omitted), unitKey({ type: 'item', step, index }), attempt);
    }
    case 'child_settled': {
      const { unit, attempt, status, outputs, error } = event;
      return of({ status, outputs: orNull(outputs), error: errorJson(error) }, unit, attempt);
    }
    case 'timer_fired':
      return of({ timer: event.timer });
    case 'approval_decided': {
      const { step, approved, by, via, comment } = event;
      return of({ approved, by, via: via ?? null, comment: comment ?? null }, step);
    }
    case 'signal':
      return of({ name: event.name, data: orNull(event.data) });
    case 'cancel':
      return of({ by: event.by, reason: event.reason ?? null });
    case 'pause':
    case 'resume':
      return of({});
    case 'modified': {
      const modification = modificationData(event.modification, omitted);
      return of({ modification, by: event.by ?? null, reason: event.reason ?? null });
    }
    default:
      return assertNever(event);
  }
}

function startedData({
  params,
  environment,
  context,
  previous,
  ancestors,
  fork,
}: Extract<WorkflowEvent, { type: 'started' }>): JsonObject {
  return {
    params: orNull(params),
    environment: environment ?? null,
    context: orNull(context),
    previous: orNull(previous),
    ancestors: ancestors === undefined ? [] : [...ancestors],
    fork:
      fork === undefined ? null : { run_id: fork.runId, from_step: fork.from, taken_over: [...fork.kept] },
  };
}

function resultData(result: StepResult, omitted: boolean): JsonObject {
  switch (result.status) {
    case 'fail':
      return { status: 'fail', error: errorJson(result.error) };
    case 'skip':
      return { status: 'skip', reason: result.reason };
    case 'ok':
      return {
        status: 'ok',
        output: orNull(result.output),
        ...(result.contextUpdates === undefined ? {} : { context_updates: result.contextUpdates }),
        ...(result.nextStep === undefined ? {} : { next_step: result.nextStep }),
        ...(result.quality === undefined
          ? {}
          : {
              quality: {
                record_count: result.quality.recordCount,
                valid_count: result.quality.validCount,
                passed: result.quality.passed,
                custom_metrics: { ...result.quality.customMetrics },
              },
            }),
        ...(result.modifications === undefined
          ? {}
          : { modifications: result.modifications.map((each) => modificationData(each, omitted)) }),
      };
    default:
      return assertNever(result);
  }
}

function modificationData(modification: Modification, omitted: boolean): JsonValue {
  // Without its step there is only its type to be told.
  if (omitted) return { type: modification.type };
  return JSON.parse(JSON.stringify(modificationToJson(modification))) as JsonValue;
}

function errorJson(error: ErrorInfo | null): JsonValue {
  if (error === null) return null;
  const { message, type, category, retryable } = error;
  return { message, type, category, retryable };
}

/** What was left out is undefined, whatever the type says. */
function orNull(value: JsonObject | undefined): JsonValue {
  return value ?? null;
}
