/** Sub-workflows that end otherwise than by themselves: given up, too slow, or never begun because they would go in a circle. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { modifyWorkflowRun, undoWorkflow } from '@spine/orchestration';
import type { Call, Modification, Step, WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { rowOf } from './engine-support.ts';
import { openOperateBed } from './workflow-operate-support.ts';
import type { OperateBed } from './workflow-operate-support.ts';
import { noLeftovers } from './workflow-support.ts';

const undo: Call = { kind: 'lambda', handler: 'note', params: { undo: true } };
const heldUndo: Call = { kind: 'lambda', handler: 'hold', params: { undo: true } };
const FOREVER = { kind: 'wait', name: 'forever', wait: { signal: 'never' }, dependsOn: ['built'] } as const;

/** Each has done something that is to be undone, and goes on until somebody ends it. */
const workflows: readonly WorkflowInput[] = [
  {
    name: 'test.below',
    policy: { mode: 'parallel' },
    // Undoing waits for the test.
    steps: [{ kind: 'lambda', name: 'built', handler: 'note', compensate: heldUndo }, FOREVER],
  },
  {
    name: 'test.above',
    steps: [
      { kind: 'lambda', name: 'first', handler: 'note', compensate: undo },
      { kind: 'workflow', name: 'sub', workflow: 'test.below' },
    ],
  },
  {
    name: 'test.top',
    steps: [
      { kind: 'lambda', name: 'first', handler: 'note', compensate: undo },
      { kind: 'workflow', name: 'sub', workflow: 'test.above' },
    ],
  },
  {
    name: 'test.launches',
    steps: [
      { kind: 'workflow', name: 'loose', workflow: 'test.below', wait: false },
      { kind: 'wait', name: 'long', wait: { signal: 'never' } },
    ],
  },
  {
    name: 'test.impatient',
    steps: [
      {
        kind: 'workflow',
        name: 'sub',
        workflow: 'test.below',
        timeoutSeconds: 600,
        onError: 'continue',
      },
      { kind: 'lambda', name: 'after', handler: 'note', params: { was: '{{ steps.sub.status }}' } },
    ],
  },
  { name: 'test.ring_a', steps: [{ kind: 'workflow', name: 'next', workflow: 'test.ring_b' }] },
  // What leads back to the first one is added while it runs: a definition with it would be refused.
  { name: 'test.ring_b', steps: [{ kind: 'wait', name: 'word', wait: { signal: 'go' } }] },
];

let bed: OperateBed;
beforeAll(async () => {
  bed = await openOperateBed(workflows);
});
afterAll(async () => {
  bed.release();
  await bed.close();
});
beforeEach(() => {
  bed.block();
  bed.calls.length = 0;
});

/** The run of a step, when there is one. */
async function below(runId: string, unit: string): Promise<string> {
  let found: string | undefined;
  await waitFor(async () => {
    const { rows } = await bed.admin.query<{ run_id: string }>(
      'SELECT run_id FROM workflow_steps WHERE workflow_run_id = $1 AND unit = $2 ORDER BY attempt DESC',
      [runId, unit],
    );
    found = rows[0]?.run_id;
    return found !== undefined;
  });
  return found ?? '';
}

const undone = (): string[] => bed.calls.filter((call) => call.endsWith('!undo'));

async function begun() {
  const runId = await bed.start('test.top');
  const sub = await below(runId, 'sub');
  const deep = await below(sub, 'sub');
  await bed.step(deep, 'forever', 'waiting');
  return { runId, sub, deep };
}

describe('a run that is cancelled to be undone', () => {
  it('undoes nothing of its own, and does not end, while something below it is being undone', async () => {
    const { runId, sub, deep } = await begun();
    await undoWorkflow(bed.engine, runId, 'ops');
    await waitFor(() => undone().length === 1);
    for (const id of [runId, sub]) {
      await waitFor(async () => (await bed.view(id)).phase === 'stopping');
      const [, step] = (await bed.view(id)).steps;
      expect(step).toMatchObject({ status: 'running', waitsFor: { type: 'run' } });
    }
    expect((await rowOf(bed.admin, runId)).status).toBe('running');
    bed.release();
    for (const id of [runId, sub, deep]) await bed.reach(id, 'cancelled');
    expect(undone()).toEqual([`${deep}:built!undo`, `${sub}:first!undo`, `${runId}:first!undo`]);
    const { rows } = await bed.admin.query<{ id: string }>(
      `SELECT id FROM runs WHERE id = ANY ($1) ORDER BY completed_at, id DESC`,
      [[runId, sub, deep]],
    );
    expect(rows.map(({ id }) => id)).toEqual([deep, sub, runId]);
    await noLeftovers(bed.admin);
  });

  it('stops undoing, below it too, when that is asked for a second time', async () => {
    const { runId, sub, deep } = await begun();
    await undoWorkflow(bed.engine, runId, 'ops');
    await waitFor(() => undone().length === 1);
    await undoWorkflow(bed.engine, runId, 'ops');
    for (const id of [runId, sub, deep]) await bed.reach(id, 'cancelled');
    expect(undone()).toEqual([`${deep}:built!undo`]);
    for (const id of [runId, sub, deep]) expect((await bed.view(id)).undoFailures).toBe(1);
    await noLeftovers(bed.admin);
  });

  it('has undone what nobody waits for as well, and does not wait for it', async () => {
    const runId = await bed.start('test.launches');
    const loose = await below(runId, 'loose');
    await bed.step(loose, 'forever', 'waiting');
    await bed.step(runId, 'long', 'waiting');
    await undoWorkflow(bed.engine, runId, 'ops');
    await bed.reach(runId, 'cancelled');
    await waitFor(() => undone().length === 1);
    expect((await rowOf(bed.admin, loose)).status).toBe('running');
    bed.release();
    await bed.reach(loose, 'cancelled');
    expect(undone()).toEqual([`${loose}:built!undo`]);
  });
});

describe('a sub-workflow', () => {
  it('that takes too long is undone before its run goes on', async () => {
    const runId = await bed.start('test.impatient');
    const sub = await below(runId, 'sub');
    await bed.step(sub, 'forever', 'waiting');
    await bed.admin.query(
      `UPDATE workflow_inbox SET due_at = now() WHERE workflow_run_id = $1 AND timer = 'sub#1:timeout'`,
      [runId],
    );
    await waitFor(() => undone().length === 1);
    expect((await bed.view(runId)).steps).toMatchObject([
      { name: 'sub', status: 'running', error: { category: 'TIMEOUT' } },
      { name: 'after', status: 'pending' },
    ]);
    bed.release();
    expect((await bed.reach(runId, 'completed')).result).toEqual({ after: { was: 'failed' } });
    expect((await rowOf(bed.admin, sub)).status).toBe('cancelled');
    await noLeftovers(bed.admin);
  });

  it('that would start a workflow above it fails, and with it those that wait for it', async () => {
    const runId = await bed.start('test.ring_a');
    const sub = await below(runId, 'next');
    await bed.step(sub, 'word', 'waiting');
    const again: Step = { kind: 'workflow', name: 'again', workflow: 'test.ring_a' };
    const services = { ...bed.engine, definitions: bed.services.definitions };
    const modification: Modification = { type: 'insert_step_after', after: 'word', step: again };
    expect(await modifyWorkflowRun(services, sub, { modification, by: 'ops' })).toMatchObject({
      type: 'told',
    });
    await bed.signal(sub, 'go');
    const run = await bed.reach(runId, 'failed');
    expect(run.error).toMatchObject({
      message: expect.stringContaining(
        'workflow test.ring_a would start itself by test.ring_a -> test.ring_b -> test.ring_a',
      ) as string,
    });
    const { rows } = await bed.admin.query<{ name: string; type: string }>(
      `SELECT name, error ->> 'type' AS type FROM runs WHERE id = ANY ($1) ORDER BY id`,
      [[runId, sub]],
    );
    expect(rows).toEqual([
      { name: 'test.ring_a', type: 'WorkflowCycleError' },
      { name: 'test.ring_b', type: 'WorkflowCycleError' },
    ]);
    await noLeftovers(bed.admin);
  });
});
