import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import type { WorkflowEvent } from '../engine/event.ts';
import { StepResult } from '../workflow/step-result.ts';
import { WORKFLOW_EVENT_TYPES, workflowEventToJson } from './inspect-events.ts';

const failed = StepResult.fail('broken', { category: ErrorCategory.NETWORK });

const events: Record<WorkflowEvent['type'], WorkflowEvent> = {
  started: {
    type: 'started',
    runId: 'r',
    params: { n: 1 },
    fork: { runId: 'other', from: 'b', kept: ['a'], signals: {}, overlay: null },
  },
  step_settled: {
    type: 'step_settled',
    unit: 'load!undo',
    attempt: 2,
    result: StepResult.ok(
      { n: 1 },
      { contextUpdates: { at: 1 }, nextStep: 'x', modifications: [{ type: 'skip_steps', steps: ['y'] }] },
    ),
  },
  map_item_settled: { type: 'map_item_settled', step: 'each', index: 3, attempt: 1, result: failed },
  child_settled: {
    type: 'child_settled',
    unit: 'sub',
    attempt: 1,
    status: 'failed',
    outputs: {},
    error: failed.error,
  },
  timer_fired: { type: 'timer_fired', timer: 'load#1:retry' },
  approval_decided: { type: 'approval_decided', step: 'ask', approved: false, by: 'ada', via: 'key:1' },
  signal: { type: 'signal', name: 'go', data: { n: 1 } },
  cancel: { type: 'cancel', by: 'ops', reason: 'a mistake' },
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  modified: { type: 'modified', modification: { type: 'skip_steps', steps: ['y'] }, by: 'ops' },
};
const error = { message: 'broken', type: 'StepFailed', category: 'NETWORK', retryable: true };

describe('an event of a history as JSON', () => {
  it('says what it is about, and what has happened', () => {
    const shown = WORKFLOW_EVENT_TYPES.map((type) => workflowEventToJson(events[type]));
    expect(shown.every(({ ignored }) => ignored === null)).toBe(true);
    expect(shown.map(({ ignored: _, ...event }) => event)).toEqual([
      {
        type: 'started',
        unit: null,
        attempt: null,
        data: {
          params: { n: 1 },
          environment: null,
          context: null,
          previous: null,
          ancestors: [],
          fork: { run_id: 'other', from_step: 'b', taken_over: ['a'] },
        },
      },
      {
        type: 'step_settled',
        unit: 'load!undo',
        attempt: 2,
        data: {
          status: 'ok',
          output: { n: 1 },
          context_updates: { at: 1 },
          next_step: 'x',
          modifications: [{ type: 'skip_steps', steps: ['y'] }],
        },
      },
      { type: 'map_item_settled', unit: 'each[3]', attempt: 1, data: { status: 'fail', error } },
      { type: 'child_settled', unit: 'sub', attempt: 1, data: { status: 'failed', outputs: {}, error } },
      { type: 'timer_fired', unit: null, attempt: null, data: { timer: 'load#1:retry' } },
      {
        type: 'approval_decided',
        unit: 'ask',
        attempt: null,
        data: { approved: false, by: 'ada', via: 'key:1', comment: null },
      },
      { type: 'signal', unit: null, attempt: null, data: { name: 'go', data: { n: 1 } } },
      { type: 'cancel', unit: null, attempt: null, data: { by: 'ops', reason: 'a mistake' } },
      { type: 'pause', unit: null, attempt: null, data: {} },
      { type: 'resume', unit: null, attempt: null, data: {} },
      {
        type: 'modified',
        unit: null,
        attempt: null,
        data: { modification: { type: 'skip_steps', steps: ['y'] }, by: 'ops', reason: null },
      },
    ]);
  });

  it('says why it has counted for nothing', () => {
    expect(workflowEventToJson({ ...events.modified, ignored: 'step y has ended' }).ignored).toBe(
      'step y has ended',
    );
  });

  it('does without what was left out of it', () => {
    const cut = (event: object): WorkflowEvent => {
      const { modification, ...rest } = event as { modification?: object };
      return {
        ...rest,
        ...(modification === undefined ? {} : { modification: { type: 'replace_step' } }),
      } as WorkflowEvent;
    };
    expect(workflowEventToJson(cut(events.modified), true).data).toEqual({
      modification: { type: 'replace_step' },
      by: 'ops',
      reason: null,
    });
  });
});
