/** A run that went over Postgres, replayed in memory from its recording: a regression test made of production. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decideWorkflowApproval,
  defineWorkflow,
  DefinitionVersions,
  forkWorkflowRun,
  modifyWorkflowRun,
  recordingFromJson,
  recordingToJson,
  recordWorkflowRun,
  replayHistory,
  replayRecording,
  signalWorkflow,
  stateToJson,
  StepResult,
} from '@spine/orchestration';
import type { Modification, Step, WorkflowInput, WorkflowRecording } from '@spine/orchestration';
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

/** Goes on as a new run once, with what it has done. */
const chapters: WorkflowInput = {
  name: 'test.chapters',
  steps: [
    { kind: 'lambda', name: 'page', handler: 'page', params: { no: '{{ params.no }}' } },
    {
      kind: 'lambda',
      name: 'sum',
      handler: 'double',
      params: { n: '{{ previous.page.no }}' },
      when: 'params.no == 2',
    },
  ],
  outputs: { no: '{{ steps.page.output.no }}', n: '{{ steps.sum.output.n }}' },
};

let attempts = 0;
let bed: WorkflowBed;
beforeAll(async () => {
  bed = await openWorkflowBed({
    workflows: [recorded, child, bad, chapters],
    functions: {
      flaky: ({ n }) => {
        attempts += 1;
        return attempts === 1
          ? StepResult.fail('not yet', { category: 'NETWORK' })
          : { rows: [n ?? null, 2] };
      },
      double: ({ n }) => ({ n: Number(n) * 2 }),
      page: ({ no }) =>
        no === 2
          ? { no }
          : StepResult.ok(
              { no: Number(no) },
              { modifications: [{ type: 'continue_as_new', params: { no: 2 }, keepOutputs: true }] },
            ),
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

async function decided(runId: string): Promise<void> {
  await waitFor(async () => {
    const decision = { approved: true, by: 'ada', comment: null };
    return (await decideWorkflowApproval(bed.engine.db, runId, 'ask', decision)).type === 'decided';
  });
}

function modify(runId: string, modification: Modification) {
  const { definitions } = services();
  return modifyWorkflowRun({ ...bed.engine, definitions }, runId, { modification, by: 'ops' });
}

async function forkOf(runId: string, fromStep: string): Promise<string> {
  const { definitions } = services();
  const fork = await forkWorkflowRun({ ...bed.engine, definitions }, runId, { fromStep, by: 'ops' });
  if (fork.type !== 'forked') throw new Error(fork.type);
  return fork.runId;
}

async function completed(): Promise<string> {
  const runId = await bed.start('test.recorded', { n: 1 });
  const { db } = bed.engine;
  await decided(runId);
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

  it('of a fork begins with the steps that it has taken over', async () => {
    const fork = await forkOf(runId, 'sub');
    await bed.reach(fork, 'completed');
    const of = await recordingOf(fork);
    expect(of.beginning).toMatchObject({
      context: {},
      previous: {},
      fork: { run_id: runId, from_step: 'sub', signals: { go: { by: 'ops' } } },
    });
    const takenOver = of.beginning?.fork?.taken_over.map(({ name, attempts: made }) => [name, made]);
    expect(takenOver?.sort()).toEqual([
      ['ask', 1],
      ['bad', 1],
      ['each', 1],
      ['flaky', 2],
      ['large', 1],
      ['word', 1],
    ]);
    expect(of.calls.map(({ run, unit }) => `${run} ${unit}`)).toEqual(['/sub#1 inner']);
    expect(of.outputs).toEqual(recording.outputs);
    const replay = await replayRecording(of, defineWorkflow(recorded), { workflow: definitionOf });
    expect(replay).toMatchObject({ diffs: [], matches: true });
    // A changed definition that has lost a step which was taken over.
    const { outputs: _outputs, ...rest } = recorded;
    const smaller = defineWorkflow({ ...rest, steps: recorded.steps.filter(({ name }) => name !== 'large') });
    const { diffs } = await replayRecording(of, smaller, { workflow: definitionOf });
    expect(diffs.map(({ at }) => at)).toEqual(['outputs', 'steps.large']);
  });

  it('of a fork has the steps that its run had added, and is refused where one was run again', async () => {
    const changed = await bed.start('test.recorded', { n: 1 });
    const added: Step = { kind: 'lambda', name: 'added', handler: 'double', params: { n: 5 } };
    await waitFor(async () => {
      const outcome = await modify(changed, { type: 'insert_step_after', after: 'ask', step: added });
      return outcome.type === 'told';
    });
    await decided(changed);
    await signalWorkflow(bed.engine.db, changed, 'go', { by: 'ops' });
    await bed.reach(changed, 'completed');
    const fork = await forkOf(changed, 'later');
    await bed.reach(fork, 'completed');
    const of = await recordingOf(fork);
    expect(of.beginning?.fork?.overlay?.steps).toMatchObject({ added: { handler: 'double' } });
    const replay = await replayRecording(of, defineWorkflow(recorded), { workflow: definitionOf });
    expect(replay.diffs).toEqual([]);
    expect(replay.run.steps.find(({ name }) => name === 'added')).toMatchObject({ output: { n: 10 } });

    const again = await forkOf(changed, 'word');
    await waitFor(async () => (await modify(again, { type: 'retry_step', step: 'large' })).type === 'told');
    await signalWorkflow(bed.engine.db, again, 'go', { by: 'ops' });
    await bed.reach(again, 'completed');
    expect(await recordWorkflowRun(services(), again)).toEqual({
      type: 'incomplete',
      reason: `it has run step large again, which it had taken over from run ${changed}`,
    });
  });

  it('of a run that goes on as a new one is a chapter, and that one begins with what was handed on', async () => {
    const first = await bed.start('test.chapters', { no: 1 });
    await bed.reach(first, 'completed');
    const { rows } = await bed.admin.query<{ id: string }>(
      `SELECT id FROM runs WHERE metadata ->> 'continues' = $1`,
      [first],
    );
    const second = rows[0]?.id ?? '';
    expect((await bed.reach(second, 'completed')).result).toEqual({ no: 2, n: 2 });
    const [one, two] = [await recordingOf(first), await recordingOf(second)];
    expect(one).toMatchObject({ status: 'continued', outputs: { page: { no: 1 } } });
    expect(one.beginning).toBeUndefined();
    expect(two).toMatchObject({
      status: 'completed',
      beginning: { previous: { page: { no: 1 } }, fork: null },
    });
    for (const each of [one, two]) {
      expect((await replayRecording(each, defineWorkflow(chapters))).diffs).toEqual([]);
    }
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
