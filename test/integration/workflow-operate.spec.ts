/** What people do to workflow runs: change them, run steps again, fork them, undo and pause them with all below them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { getWorkflowRun, readWorkflowHistory, tellWorkflow } from '@spine/database';
import {
  forkWorkflowRun,
  modifyWorkflowRun,
  replayHistory,
  replayStep,
  undoWorkflow,
} from '@spine/orchestration';
import type { Modification, ModifyOutcome, RecordedEvent } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { rowOf } from './engine-support.ts';
import { openOperateBed } from './workflow-operate-support.ts';
import type { OperateBed } from './workflow-operate-support.ts';
import { noLeftovers } from './workflow-support.ts';

let bed: OperateBed;
beforeAll(async () => {
  bed = await openOperateBed([
    {
      name: 'test.line',
      steps: [
        { kind: 'lambda', name: 'a', handler: 'note', params: { n: '{{ params.n }}' } },
        {
          kind: 'lambda',
          name: 'b',
          handler: 'note',
          params: { n: '{{ steps.a.output.n }}', m: '{{ params.n }}' },
        },
        { kind: 'lambda', name: 'c', handler: 'note', params: { b: '{{ steps.b.output.m }}' } },
      ],
    },
    {
      name: 'test.waits',
      policy: { mode: 'parallel' },
      steps: [
        {
          kind: 'lambda',
          name: 'done',
          handler: 'note',
          params: { n: 1 },
          compensate: { kind: 'lambda', handler: 'note', params: { undo: true } },
        },
        { kind: 'wait', name: 'word', wait: { signal: 'go' }, dependsOn: ['done'] },
        { kind: 'lambda', name: 'last', handler: 'note', dependsOn: ['word'], params: { n: 2 } },
      ],
      outputs: { last: '{{ steps.last.status }}' },
    },
    {
      name: 'test.fork_signals',
      policy: { mode: 'parallel' },
      steps: [
        { kind: 'wait', name: 'word', wait: { signal: 'go' } },
        { kind: 'wait', name: 'other', wait: { signal: 'more' } },
        {
          kind: 'lambda',
          name: 'use',
          handler: 'note',
          dependsOn: ['word', 'other'],
          params: { at: '{{ signals.go.at }}' },
        },
      ],
    },
    {
      name: 'test.below',
      steps: [
        { kind: 'lambda', name: 'held', handler: 'hold', params: { n: 1 } },
        { kind: 'lambda', name: 'after', handler: 'note', params: { n: 2 } },
      ],
    },
    {
      name: 'test.above',
      policy: { mode: 'parallel' },
      steps: [
        { kind: 'workflow', name: 'sub', workflow: 'test.middle' },
        { kind: 'workflow', name: 'own', workflow: 'test.below' },
      ],
    },
    { name: 'test.middle', steps: [{ kind: 'workflow', name: 'deep', workflow: 'test.below' }] },
    {
      name: 'test.over',
      steps: [
        {
          kind: 'lambda',
          name: 'first',
          handler: 'note',
          compensate: { kind: 'lambda', handler: 'note', params: { undo: true } },
        },
        { kind: 'workflow', name: 'sub', workflow: 'test.between' },
      ],
    },
    {
      name: 'test.between',
      policy: { mode: 'parallel' },
      steps: [
        { kind: 'workflow', name: 'deep', workflow: 'test.waits' },
        { kind: 'lambda', name: 'held', handler: 'hold' },
      ],
    },
  ]);
});
afterAll(async () => {
  bed.release();
  await bed.close();
});
beforeEach(() => {
  bed.block();
  bed.calls.length = 0;
});

const services = () => ({ ...bed.engine, definitions: bed.services.definitions });

function modify(runId: string, modification: Modification, dryRun = false): Promise<ModifyOutcome> {
  return modifyWorkflowRun(services(), runId, { modification, by: 'ops', reason: 'a test', dryRun });
}

async function history(runId: string): Promise<RecordedEvent[]> {
  const records = await bed.engine.db.transaction().execute((trx) => readWorkflowHistory(trx, runId));
  return records.map(({ event }) => event as RecordedEvent);
}

describe('a fork', () => {
  it('takes over what came before, and runs the rest once, with other params', async () => {
    const { runId } = await bed.run('test.line', { n: 1 });
    expect(bed.calls).toHaveLength(3);
    const outcome = await forkWorkflowRun(services(), runId, {
      fromStep: 'b',
      params: { n: 2 },
      reason: 'corrected',
      by: 'ops',
    });
    if (outcome.type !== 'forked') throw new Error(outcome.type);
    expect(outcome.takenOver).toEqual(['a']);
    const fork = await bed.reach(outcome.runId, 'completed');
    expect(fork).toMatchObject({
      result: { c: { b: 2 } },
      metadata: { forked_from: runId, fork_step: 'b', forked_by: 'ops', fork_reason: 'corrected' },
    });
    expect(bed.calls.filter((call) => call.startsWith(outcome.runId))).toEqual([
      `${outcome.runId}:b`,
      `${outcome.runId}:c`,
    ]);
    const view = await bed.view(outcome.runId);
    expect(view).toMatchObject({ forkedFrom: runId, version: 1, phase: 'ended' });
    // Its own record of what it has taken over, from the params of that time.
    expect(view.steps.map(({ name, output }) => [name, output])).toEqual([
      ['a', { n: 1 }],
      ['b', { n: 1, m: 2 }],
      ['c', { b: 2 }],
    ]);
    const [started] = await history(outcome.runId);
    expect(started).toMatchObject({ type: 'started', fork: { runId, from: 'b', kept: ['a'] } });
    // A fork of a fork has what the first one had taken over.
    const again = await forkWorkflowRun(services(), outcome.runId, { fromStep: 'c', by: 'ops' });
    if (again.type !== 'forked') throw new Error(again.type);
    expect(again.takenOver).toEqual(['a', 'b']);
    expect((await bed.reach(again.runId, 'completed')).result).toMatchObject({ c: { b: 2 } });
    expect(bed.calls.filter((call) => call.startsWith(again.runId))).toEqual([`${again.runId}:c`]);
    await noLeftovers(bed.admin);
  });

  it('keeps what signals have said, but for steps that wait again', async () => {
    const runId = await bed.start('test.fork_signals');
    await bed.step(runId, 'word', 'waiting');
    await bed.signal(runId, 'go');
    await bed.signal(runId, 'more');
    await bed.reach(runId, 'completed');
    const outcome = await forkWorkflowRun(services(), runId, { fromStep: 'other', by: 'ops' });
    if (outcome.type !== 'forked') throw new Error(outcome.type);
    await bed.step(outcome.runId, 'other', 'waiting');
    await bed.signal(outcome.runId, 'more');
    expect((await bed.reach(outcome.runId, 'completed')).result).toEqual({ use: { at: 'go' } });
  });

  it('is for the partition of the other run, and not skipped because that has completed it', async () => {
    const metadata = { workflow_partition: { day: '2026-01-02' } };
    const runId = await bed.start('test.line', { n: 1 }, { metadata });
    await bed.reach(runId, 'completed');
    const outcome = await forkWorkflowRun(services(), runId, { fromStep: 'c', by: 'ops' });
    if (outcome.type !== 'forked') throw new Error(outcome.type);
    const fork = await bed.reach(outcome.runId, 'completed');
    expect(fork).toMatchObject({ result: { c: { b: 1 } }, metadata });
  });

  it('is refused without writing anything where there is nothing to begin from', async () => {
    const { runId } = await bed.run('test.line', { n: 1 });
    const count = async () => (await bed.admin.query('SELECT 1 FROM runs')).rows.length;
    const before = await count();
    expect(await forkWorkflowRun(services(), runId, { fromStep: 'nobody', by: 'ops' })).toMatchObject({
      type: 'unknown_step',
    });
    const step = (await bed.view(runId)).steps[0]?.runId ?? '';
    expect(await forkWorkflowRun(services(), step, { fromStep: 'a', by: 'ops' })).toMatchObject({
      type: 'not_begun',
    });
    const gone = '01890000-0000-7000-8000-000000000000';
    expect(await forkWorkflowRun(services(), gone, { fromStep: 'a', by: 'ops' })).toEqual({
      type: 'not_found',
    });
    expect(await count()).toBe(before);
  });

  it('is one moment of a run that goes on, and leaves it alone', async () => {
    const runId = await bed.start('test.waits');
    await bed.step(runId, 'word', 'waiting');
    const outcome = await forkWorkflowRun(services(), runId, { fromStep: 'last', by: 'ops' });
    if (outcome.type !== 'forked') throw new Error(outcome.type);
    expect(outcome.takenOver).toEqual(['done']);
    await bed.step(outcome.runId, 'word', 'waiting');
    await bed.signal(outcome.runId, 'go');
    await bed.reach(outcome.runId, 'completed');
    expect((await bed.view(runId)).phase).toBe('running');
    await bed.signal(runId, 'go');
    await bed.reach(runId, 'completed');
  });
});

describe('a step', () => {
  it('of a run that has ended runs again in a fork', async () => {
    const { runId } = await bed.run('test.line', { n: 5 });
    const outcome = await replayStep(services(), runId, { step: 'c', by: 'ops' });
    if (outcome.type !== 'forked') throw new Error(outcome.type);
    await bed.reach(outcome.runId, 'completed');
    expect(bed.calls.filter((call) => call.startsWith(outcome.runId))).toEqual([`${outcome.runId}:c`]);
  });

  it('of a run under way runs again in it', async () => {
    const runId = await bed.start('test.waits');
    await bed.step(runId, 'word', 'waiting');
    expect(await replayStep(services(), runId, { step: 'done', by: 'ops' })).toEqual({
      type: 'told',
      suspended: false,
    });
    await waitFor(() => bed.calls.filter((call) => call === `${runId}:done`).length === 2);
    expect(await replayStep(services(), runId, { step: 'last', by: 'ops' })).toMatchObject({
      type: 'refused',
      reason: 'step last is pending; only one that has completed, failed or been skipped runs again',
    });
    await bed.signal(runId, 'go');
    await bed.reach(runId, 'completed');
  });
});

describe('a run under way', () => {
  it('is changed from outside, and says so in its history', async () => {
    const runId = await bed.start('test.waits');
    await bed.step(runId, 'word', 'waiting');
    const step = { kind: 'lambda', name: 'extra', handler: 'note', params: { n: 3 } } as const;
    expect(await modify(runId, { type: 'insert_step_before', before: 'last', step }, true)).toEqual({
      type: 'would_tell',
      suspended: false,
    });
    expect((await history(runId)).some(({ type }) => type === 'modified')).toBe(false);
    await modify(runId, { type: 'insert_step_before', before: 'last', step });
    await bed.step(runId, 'extra', 'pending');
    await modify(runId, { type: 'skip_steps', steps: ['last'] });
    await bed.step(runId, 'last', 'skipped');
    expect(await modify(runId, { type: 'skip_steps', steps: ['done'] })).toEqual({
      type: 'refused',
      reason: 'step done is completed already',
    });
    expect(
      await modify(runId, {
        type: 'insert_step_after',
        after: 'done',
        step: { ...step, name: 'x', handler: 'nobody' },
      }),
    ).toEqual({ type: 'missing_handlers', handlers: ['lambda nobody'] });
    await bed.signal(runId, 'go');
    expect((await bed.reach(runId, 'completed')).result).toEqual({ last: 'skipped' });
    expect(bed.calls).toEqual([`${runId}:done`, `${runId}:extra`]);
    expect((await history(runId)).filter(({ type }) => type === 'modified')).toMatchObject([
      { modification: { type: 'insert_step_before' }, by: 'ops', reason: 'a test' },
      { modification: { type: 'skip_steps', steps: ['last'] } },
    ]);
    expect((await bed.view(runId)).steps.find(({ name }) => name === 'extra')?.added).toBe(true);
    expect(await modify(runId, { type: 'skip_steps', steps: ['last'] })).toEqual({
      type: 'ended',
      status: 'completed',
    });
  });

  it('keeps in its history what came too late, and why it counted for nothing', async () => {
    const late = async (runId: string) =>
      (await history(runId)).filter(({ ignored }) => ignored !== undefined);
    const event = {
      type: 'modified',
      modification: { type: 'skip_steps', steps: ['done'] },
      by: 'ops',
    } as const;
    const runId = await bed.start('test.waits');
    await bed.step(runId, 'word', 'waiting');
    // As one whose step has completed between the look and the change.
    expect(await tellWorkflow(bed.engine.db, runId, event)).toBe(true);
    await bed.signal(runId, 'go');
    await bed.reach(runId, 'completed');
    expect(await late(runId)).toEqual([{ ...event, ignored: 'step done is completed already' }]);
    const replay = await replayHistory(bed.services, runId);
    expect(replay).toMatchObject({ type: 'replayed', replayed: { interventions: [] } });

    const other = await bed.start('test.waits');
    await bed.step(other, 'word', 'waiting');
    await bed.engine.dispatcher.pause(other);
    const skip = { type: 'skip_steps', steps: ['last'] } as const;
    expect(await modify(other, skip)).toEqual({ type: 'told', suspended: true });
    await bed.engine.dispatcher.cancel(other);
    await noLeftovers(bed.admin);
    expect(await late(other)).toMatchObject([{ modification: skip, ignored: 'the run has ended' }]);
    const record = await getWorkflowRun(bed.engine.db, other);
    expect(record?.seq).toBe((await history(other)).length);
  });

  it('is undone when it is cancelled like that, also while it is paused', async () => {
    for (const paused of [false, true]) {
      const runId = await bed.start('test.waits');
      await bed.step(runId, 'word', 'waiting');
      if (paused) await bed.engine.dispatcher.pause(runId);
      expect(await undoWorkflow(bed.engine, runId, 'ops', 'a mistake')).toBe(paused ? 'paused' : 'running');
      await bed.reach(runId, 'cancelled');
      expect(bed.calls.filter((call) => call.startsWith(runId))).toEqual([
        `${runId}:done`,
        `${runId}:done!undo`,
      ]);
      expect((await history(runId)).at(-2)).toMatchObject({ type: 'cancel', by: 'ops', reason: 'a mistake' });
      expect(await undoWorkflow(bed.engine, runId, 'ops')).toBeNull();
      if (paused) continue;
      // What was undone is done again.
      const fork = await forkWorkflowRun(services(), runId, { fromStep: 'last', by: 'ops' });
      if (fork.type !== 'forked') throw new Error(fork.type);
      expect(fork.takenOver).toEqual([]);
      await bed.step(fork.runId, 'word', 'waiting');
      await bed.signal(fork.runId, 'go');
      await bed.reach(fork.runId, 'completed');
      expect(bed.calls).toContain(`${fork.runId}:done`);
    }
    await noLeftovers(bed.admin);
  });
});

const childOf = async (runId: string, unit: string): Promise<string> => {
  const { rows } = await bed.admin.query<{ run_id: string }>(
    'SELECT run_id FROM workflow_steps WHERE workflow_run_id = $1 AND unit = $2',
    [runId, unit],
  );
  return rows[0]?.run_id ?? '';
};

describe('a sub-workflow that is given up', () => {
  /** As far as the wait in the workflow two levels below. */
  const begin = async () => {
    const runId = await bed.start('test.over');
    await waitFor(async () => (await childOf(runId, 'sub')) !== '');
    const sub = await childOf(runId, 'sub');
    await waitFor(async () => (await childOf(sub, 'deep')) !== '');
    const deep = await childOf(sub, 'deep');
    await bed.step(deep, 'word', 'waiting');
    return { runId, sub, deep };
  };

  it('is undone by its own plan, at any depth, also while it is paused', async () => {
    for (const paused of [false, true]) {
      const { runId, sub, deep } = await begin();
      if (paused) await bed.engine.dispatcher.pause(sub, 'by itself');
      await undoWorkflow(bed.engine, runId, 'ops');
      for (const each of [runId, sub, deep]) await bed.reach(each, 'cancelled');
      expect(bed.calls).toContain(`${deep}:done!undo`);
      expect(bed.calls).toContain(`${runId}:first!undo`);
      expect((await history(deep)).find(({ type }) => type === 'cancel')).toMatchObject({ by: 'workflow' });
      // What was no workflow ended at once.
      expect(await bed.events(await childOf(sub, 'held'))).toContain('cancelled');
    }
    await noLeftovers(bed.admin);
  });

  it('ends at once with a run that is cancelled without being undone', async () => {
    const { runId, sub, deep } = await begin();
    await bed.engine.dispatcher.cancel(runId);
    for (const each of [runId, sub, deep]) await bed.reach(each, 'cancelled');
    await noLeftovers(bed.admin);
    expect(bed.calls.filter((call) => call.endsWith('!undo'))).toEqual([]);
  });
});

describe('a pause', () => {
  it('reaches the workflows below, and a resume what was paused with it alone', async () => {
    const runId = await bed.start('test.above');
    await waitFor(() => bed.calls.filter((call) => call.endsWith(':held')).length === 2);
    const sub = await childOf(runId, 'sub');
    const own = await childOf(runId, 'own');
    const deep = await childOf(sub, 'deep');
    await bed.engine.dispatcher.pause(own, 'by itself');
    await bed.engine.dispatcher.pause(runId, 'all of it');
    for (const id of [runId, sub, own, deep]) expect((await rowOf(bed.admin, id)).status).toBe('paused');
    // What a worker has begun ends; what follows does not begin.
    bed.release();
    const held = await childOf(deep, 'held');
    await bed.reach(held, 'completed');
    await bed.engine.dispatcher.resume(runId);
    await bed.reach(deep, 'completed');
    await bed.reach(sub, 'completed');
    expect((await rowOf(bed.admin, own)).status).toBe('paused');
    expect((await bed.view(runId)).phase).toBe('running');
    await bed.engine.dispatcher.resume(own);
    await bed.reach(runId, 'completed');
    await noLeftovers(bed.admin);
  });

  it('keeps steps that no worker has begun from beginning', async () => {
    const runId = await bed.start('test.waits');
    await bed.step(runId, 'word', 'waiting');
    // The next step waits for a worker: the lane is closed.
    await bed.engine.dispatcher.pauseLane('workflows', 'ops');
    await bed.signal(runId, 'go');
    await bed.step(runId, 'last', 'running');
    const step = await childOf(runId, 'last');
    await bed.engine.dispatcher.pause(runId);
    await bed.engine.dispatcher.resumeLane('workflows');
    expect((await rowOf(bed.admin, step)).status).toBe('paused');
    await bed.engine.dispatcher.resume(runId);
    await bed.reach(runId, 'completed');
    expect(await bed.events(step)).toEqual(['submitted', 'paused', 'resumed', 'started', 'completed']);
  });
});
