import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import { defineWorkflow } from '../../workflow/define.ts';
import type { WorkflowDefinition, WorkflowInput } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { HandlerTable } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import { recordingFromJson, recordingToJson, recordRun } from './recording.ts';
import type { WorkflowRecording } from './recording.ts';
import { replayRecording } from './replay.ts';

const child = defineWorkflow({
  name: 'child',
  steps: [{ kind: 'lambda', name: 'inner', handler: 'count', params: { n: 5 } }],
});
const input: WorkflowInput = {
  name: 'recorded',
  policy: { mode: 'parallel' },
  steps: [
    {
      kind: 'operation',
      name: 'fetch',
      handler: 'x.fetch',
      params: { day: '{{ params.day }}' },
      retry: { maxRetries: 2 },
    },
    {
      kind: 'map',
      name: 'each',
      items: '{{ steps.fetch.output.rows }}',
      iterator: [{ name: 'count', kind: 'lambda', handler: 'count', params: { n: '{{ item }}' } }],
      dependsOn: ['fetch'],
    },
    { kind: 'approval', name: 'ok', approvers: ['risk'], dependsOn: ['each'] },
    { kind: 'wait', name: 'go', wait: { signal: 'go' }, dependsOn: ['ok'] },
    { kind: 'workflow', name: 'sub', workflow: 'child', dependsOn: ['go'] },
  ],
};
const definition = defineWorkflow(input);
const workflow = (name: string): WorkflowDefinition | undefined => (name === 'child' ? child : undefined);

const handlers = (more: number): HandlerTable => {
  let calls = 0;
  return new HandlerTable()
    .add('operation', 'x.fetch', () => {
      calls += 1;
      return calls === 1
        ? StepResult.fail('reset', { category: ErrorCategory.NETWORK })
        : StepResult.ok({ rows: [1, 2] });
    })
    .add('lambda', 'count', ({ n }) => StepResult.ok({ n: Number(n) + more }));
};
const record = async (): Promise<WorkflowRecording> => {
  const run = await runInMemory(definition, {
    executor: handlers(0),
    workflow,
    params: { day: '2026-01-02' },
    decide: () => ({ approved: true, by: 'risk' }),
    signals: [{ name: 'go', data: { by: 'ops' } }],
  });
  expect(run.status).toBe('completed');
  return recordingFromJson(recordingToJson(recordRun(definition.hash, run)));
};

describe('a recording', () => {
  it('holds every call, decision and signal, of children too', async () => {
    const recording = await record();
    expect(
      recording.calls.map(({ run, unit, attempt, result }) => `${run} ${unit}#${attempt} ${result.status}`),
    ).toEqual([' fetch#1 fail', ' fetch#2 ok', ' each[0]#1 ok', ' each[1]#1 ok', '/sub#1 inner#1 ok']);
    expect(recording).toMatchObject({
      params: { day: '2026-01-02' },
      decisions: [{ step: 'ok', approved: true, by: 'risk' }],
      signals: [{ name: 'go', data: { by: 'ops' } }],
      outputs: { sub: { inner: { n: 5 } } },
    });
  });

  it('replays without a difference, without a handler', async () => {
    expect(await replayRecording(await record(), definition, { workflow })).toMatchObject({
      matches: true,
      diffs: [],
      sameDefinition: true,
      run: { status: 'completed' },
    });
  });

  it('shows what other handlers answer', async () => {
    const recording = await record();
    expect((await replayRecording(recording, definition, { workflow, executor: handlers(0) })).matches).toBe(
      true,
    );
    const { diffs } = await replayRecording(recording, definition, {
      workflow,
      executor: handlers(1),
      live: ({ handler }) => handler === 'count',
    });
    expect(diffs.map(({ at }) => at)).toEqual(['outputs', 'steps.each.output', 'steps.sub.output']);
    expect(diffs[0]).toMatchObject({
      recorded: { sub: { inner: { n: 5 } } },
      replayed: { sub: { inner: { n: 6 } } },
    });
  });

  it('shows what a changed definition makes of it', async () => {
    const recording = await record();
    const [fetch, each, ok, ...rest] = input.steps;
    if (fetch?.kind !== 'operation' || each === undefined || ok === undefined)
      throw new Error('the steps have changed');
    const impatient = defineWorkflow({
      ...input,
      steps: [{ ...fetch, params: { day: 'x' }, retry: { maxRetries: 0 } }, each, ok, ...rest],
    });
    const { diffs, sameDefinition } = await replayRecording(recording, impatient, { workflow });
    expect(sameDefinition).toBe(false);
    expect(diffs.slice(0, 1)).toEqual([{ at: 'status', recorded: 'completed', replayed: 'failed' }]);
    expect(diffs.map(({ at }) => at)).toEqual(
      expect.arrayContaining([
        'steps.fetch.status',
        'steps.fetch.attempts',
        'calls.fetch#1.params',
        'calls.fetch#2',
        'calls./sub#1inner#1',
      ]),
    );
    const renamed = defineWorkflow({
      ...input,
      steps: [{ ...fetch, handler: 'y.fetch' }, each, ok, ...rest],
    });
    expect((await replayRecording(recording, renamed, { workflow })).run.error).toMatchObject({
      type: 'NotRecorded',
    });
  });

  it('says when a changed definition waits for ever', async () => {
    const waiting = defineWorkflow({
      ...input,
      steps: [...input.steps, { kind: 'wait', name: 'more', wait: { signal: 'more' } }],
    });
    expect((await replayRecording(await record(), waiting, { workflow })).diffs).toEqual([
      { at: 'status', recorded: 'completed', replayed: 'waiting' },
    ]);
  });

  it('is of a run that has ended, and is read with care', async () => {
    const run = await runInMemory(definition, { executor: handlers(0), workflow });
    expect(run.status).toBe('failed');
    const waits = defineWorkflow({ name: 'w', steps: [{ kind: 'wait', name: 'w', wait: { signal: 's' } }] });
    const waiting = await runInMemory(waits, { executor: handlers(0) });
    expect(() => recordRun(waits.hash, waiting)).toThrow('the run has not ended');
    expect(() => recordingFromJson('{')).toThrow(/^recording: /);
    expect(() => recordingFromJson('{"format":"other"}')).toThrow(/^recording format: /);
    const text = recordingToJson(await record());
    expect(() => recordingFromJson(text.replace('"ok"', '"fine"'))).toThrow(/^recording calls/);
  });
});
