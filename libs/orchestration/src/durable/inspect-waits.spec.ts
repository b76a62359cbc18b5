import { describe, expect, it } from 'vitest';
import { NEW_RUN } from '../engine/control.ts';
import { RunGraph } from '../engine/run-graph.ts';
import { STEP_STATUSES } from '../engine/state.ts';
import type { RunHead, StepState, StepStatus } from '../engine/state.ts';
import { defineWorkflow } from '../workflow/define.ts';
import { waitsFor } from './inspect-waits.ts';
import type { WaitFacts, WaitsFor } from './inspect-waits.ts';

const definition = defineWorkflow({
  name: 'test.flow',
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'lambda', name: 'a', handler: 'x' },
    { kind: 'lambda', name: 'b', handler: 'x' },
    { kind: 'lambda', name: 'last', handler: 'x', dependsOn: ['a', 'b'] },
    { kind: 'wait', name: 'word', wait: { signal: 'go' } },
    { kind: 'wait', name: 'time', wait: { durationSeconds: 1 } },
  ],
});
const UNTIL = new Date('2026-01-01T00:00:00Z');

function asked(
  name: string,
  state: Pick<StepState, 'status' | 'map'>,
  more: Partial<WaitFacts> = {},
): WaitsFor | null {
  return waitsFor(name, state, {
    head: { ...NEW_RUN, phase: { type: 'running' } },
    graph: new RunGraph(definition, null),
    statusOf: (step): StepStatus => (step === 'a' ? 'completed' : 'running'),
    paused: false,
    timer: { timer: 't', dueAt: UNTIL },
    approval: null,
    attemptRunId: 'run-1',
    ...more,
  });
}

describe('a step', () => {
  it('waits for what has not settled', () => {
    expect(asked('last', { status: 'pending', map: null })).toEqual({
      type: 'steps',
      steps: ['b'],
      count: 1,
    });
  });

  it('waits for a place, or for the run to be resumed', () => {
    expect(asked('a', { status: 'ready', map: null })).toEqual({ type: 'slot' });
    expect(asked('a', { status: 'ready', map: null }, { paused: true })).toEqual({ type: 'resume' });
  });

  it('waits for its run, its items, time or a signal', () => {
    expect(asked('a', { status: 'running', map: null })).toEqual({
      type: 'run',
      runId: 'run-1',
      until: UNTIL,
    });
    const map = {
      count: 9,
      next: 4,
      running: 2,
      succeeded: 1,
      failed: 1,
      halted: false,
      held: [],
      errors: [],
    };
    expect(asked('a', { status: 'running', map })).toEqual({ type: 'items', running: 2, notStarted: 5 });
    expect(asked('a', { status: 'retrying', map: null })).toEqual({ type: 'retry', until: UNTIL });
    expect(asked('word', { status: 'waiting', map: null }, { timer: null })).toEqual({
      type: 'signal',
      signal: 'go',
      until: null,
    });
    expect(asked('time', { status: 'waiting', map: null })).toEqual({ type: 'time', until: UNTIL });
  });

  it('waits for nothing when it has settled, or its run has ended', () => {
    const settled = STEP_STATUSES.filter((status) => asked('a', { status, map: null }) === null);
    expect(settled).toEqual(['completed', 'failed', 'skipped', 'not_taken', 'cancelled']);
    const outcome = { status: 'failed', step: null, error: null, next: null } as const;
    const head: RunHead = { ...NEW_RUN, phase: { type: 'ended', outcome } };
    for (const status of STEP_STATUSES) expect(asked('a', { status, map: null }, { head })).toBeNull();
  });
});
