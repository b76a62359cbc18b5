/** A run that went over Postgres, replayed in memory from its recording: a regression test made of production. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decideWorkflowApproval,
  defineWorkflow,
  DefinitionVersions,
  recordingFromJson,
  recordingToJson,
  recordWorkflowRun,
  replayHistory,
  replayRecording,
  signalWorkflow,
  stateToJson,
  StepResult,
} from '@spine/orchestration';
import type { WorkflowInput, WorkflowRecording } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const RETRY = { strategy: 'constant', maxRetries: 2, baseDelaySeconds: 0, jitter: false } as const;

const child: WorkflowInput = {
  name: 'test.child',
  steps: [{ kind: 'lambda', name: 'inner', handler: 'double', params: { n: '{{ params.n }}' } }],
};
const recorded: WorkflowInput = {
  name: 'test.recorded',
  policy: { mode: 'parallel' },
  defaults: { factor: 3 },
  steps: [
    { kind: 'lambda', name: 'flaky', handler: 'flaky', params: { n: '{{ params.n }}' }, retry: RETRY },
    { kind: 'lambda', name: 'large', handler: 'large' },
    {
      kind: 'map',
      name: 'each',
      items: '{{ steps.flaky.output.rows }}',
      dependsOn: ['flaky'],
      iterator: [{ kind: 'lambda', name: 'one', handler: 'double', params: { n: '{{ item }}' } }],
    },
    { kind: 'approval', name: 'ask', approvers: ['ada'], dependsOn: ['each'] },
    { kind: 'wait', name: 'word', wait: { signal: 'go' }, dependsOn: ['ask'] },
    {
      kind: 'workflow',
      name: 'sub',
      workflow: 'test.child',
      dependsOn: ['word'],
      params: { n: '{{ params.factor }}' },
    },
    { kind: 'workflow', name: 'bad', workflow: 'test.bad', dependsOn: ['word'], onError: 'continue' },
    { kind: 'wait', name: 'later', wait: { durationSeconds: 0.02 }, dependsOn: ['sub', 'bad'] },
  ],
  outputs: {
    each: '{{ steps.each.output.items }}',
    sub: '{{ steps.sub.output }}',
    large: '{{ steps.large.output.text }}',
  },
};
const bad: WorkflowInput = {
  name: 'test.bad',
  steps: [{ kind: 'lambda', name: 'broken', handler: 'broken' }],
};

let attempts = 0;
let bed: WorkflowBed;
beforeAll(async () => {
  bed = await openWorkflowBed({
    workflows: [recorded, child, bad],
    functions: {
      flaky: ({ n }) => {
        attempts += 1;
        return attempts === 1
          ? StepResult.fail('not yet', { category: 'NETWORK' })
          : { rows: [n ?? null, 2] };
      },
      double: ({ n }) => ({ n: Number(n) * 2 }),
      // More than its row takes: the result is elsewhere.
      large: () => ({ text: 'x'.repeat(200_000) }),
      broken: () => StepResult.fail('broken for good', { category: 'VALIDATION' }),
    },
  });
  await bed.begin();
});
afterAll(() => bed.close());

const services = () => ({ db: bed.engine.db, definitions: new DefinitionVersions() });
const definitionOf = (name: string) =>
  ({ 'test.child': defineWorkflow(child), 'test.bad': defineWorkflow(bad) })[name];

async function completed(): Promise<string> {
  const runId = await bed.start('test.recorded', { n: 1 });
  const { db } = bed.engine;
  await waitFor(async () => {
    const decision = { approved: true, by: 'ada', comment: null };
    return (await decideWorkflowApproval(db, runId, 'ask', decision)).type === 'decided';
  });
  expect(await recordWorkflowRun(services(), runId)).toMatchObject({ type: 'not_ended' });
  await signalWorkflow(db, runId, 'go', { by: 'ops' });
  await bed.reach(runId, 'completed');
  return runId;
}

async function recordingOf(runId: string): Promise<WorkflowRecording> {
  const outcome = await recordWorkflowRun(services(), runId);
  if (outcome.type !== 'recorded') throw new Error(JSON.stringify(outcome));
  expect(outcome.interventions).toEqual([]);
  // As a client gets it.
  return recordingFromJson(recordingToJson(outcome.recording));
}

describe('the recording of a production run', () => {
  let runId: string;
  let recording: WorkflowRecording;
  beforeAll(async () => {
    runId = await completed();
    recording = await recordingOf(runId);
  });

  it('holds every call, with what it was given and what it answered', () => {
    const calls = recording.calls.map(
      ({ run, unit, attempt, result }) => `${run} ${unit}#${attempt} ${result.status}`,
    );
    expect(calls.sort()).toEqual([
      ' each[0]#1 ok',
      ' each[1]#1 ok',
      ' flaky#1 fail',
      ' flaky#2 ok',
      ' large#1 ok',
      '/bad#1 broken#1 fail',
      '/sub#1 inner#1 ok',
    ]);
    expect(recording).toMatchObject({
      workflow: 'test.recorded',
      params: { n: 1 },
      decisions: [{ step: 'ask', approved: true, by: 'ada' }],
      signals: [{ name: 'go', data: { by: 'ops' } }],
      outputs: { sub: { inner: { n: 6 } } },
    });
  });

  it('replays without a difference', async () => {
    const replay = await replayRecording(recording, defineWorkflow(recorded), { workflow: definitionOf });
    expect(replay.diffs).toEqual([]);
    expect(replay).toMatchObject({ matches: true, sameDefinition: true });
  });

  it('tells what a changed definition makes of it', async () => {
    const changed = defineWorkflow({ ...recorded, defaults: { factor: 4 } });
    const { diffs, sameDefinition } = await replayRecording(recording, changed, { workflow: definitionOf });
    expect(sameDefinition).toBe(false);
    expect(diffs.map(({ at }) => at)).toContain('calls./sub#1inner#1.params');
  });

  it('is made of a history that comes to the very state of the run', async () => {
    const outcome = await replayHistory(services(), runId);
    if (outcome.type !== 'replayed') throw new Error(outcome.type);
    const { head, steps, items } = stateToJson(outcome.replayed.state);
    const { rows: runs } = await bed.admin.query<{ head: unknown }>(
      'SELECT head FROM workflow_runs WHERE run_id = $1',
      [runId],
    );
    expect(runs[0]?.head).toEqual(JSON.parse(JSON.stringify(head)));
    const { rows } = await bed.admin.query<{ key: string; value: unknown }>(
      'SELECT key, value FROM workflow_state WHERE run_id = $1',
      [runId],
    );
    expect(Object.fromEntries(rows.map(({ key, value }) => [key, value]))).toEqual(
      JSON.parse(JSON.stringify({ ...steps, ...items })),
    );
  });

  it('is not made of a run that its history does not tell', async () => {
    const started = await bed.start('test.recorded', { n: 1 });
    await waitFor(async () => (await bed.events(started)).includes('handed_over'));
    await bed.engine.dispatcher.cancel(started);
    expect(await recordWorkflowRun(services(), started)).toMatchObject({
      type: 'incomplete',
      reason: expect.stringContaining('ended from outside (cancelled)') as string,
    });
  });
});
