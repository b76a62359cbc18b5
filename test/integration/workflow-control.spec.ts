/** What people, time and faults do to workflows that are under way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ENGINE_OWNER, getWorkflowVersion, registerWorkflowVersion } from '@spine/database';
import { explainRun, loadExplainFacts } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred } from './engine-run-support.ts';
import { inconsistentRuns, rowOf, shift } from './engine-support.ts';
import { noLeftovers, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const strictParams = z.strictObject({});

let bed: WorkflowBed;
let release = deferred();
const begun: string[] = [];

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: {
      hold: async ({ name }, ctx) => {
        begun.push(String(name));
        const aborted = new Promise<void>((resolve) =>
          ctx.signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        await Promise.race([release.promise, aborted]);
        return { name: name ?? null };
      },
      quick: ({ name }) => ({ name: name ?? null }),
    },
    workflows: [
      {
        name: 'test.held',
        steps: [
          { kind: 'lambda', name: 'held', handler: 'hold', params: { name: '{{ params.name }}' } },
          { kind: 'lambda', name: 'after', handler: 'quick', params: { name: 'after' } },
        ],
      },
      {
        name: 'test.outer',
        steps: [{ kind: 'workflow', name: 'inner', workflow: 'test.held', timeoutSeconds: 600 }],
      },
      {
        name: 'test.asleep',
        steps: [
          { kind: 'wait', name: 'long', wait: { durationSeconds: 864_000 } },
          { kind: 'lambda', name: 'after', handler: 'quick' },
        ],
      },
      {
        name: 'test.unknown_params',
        steps: [{ kind: 'operation', name: 'strict', handler: 'test.strict', params: { wrong: 1 } }],
      },
    ],
    register: (registry) =>
      void registry.registerOperation(
        'test.strict',
        { description: 'Takes nothing.', params: strictParams },
        () => ({}),
      ),
  });
  await bed.begin();
});
afterAll(() => bed.close());

/** A run whose step waits for the test. */
async function held(name: string): Promise<{ readonly runId: string; readonly stepId: string }> {
  const runId = await bed.start('test.held', { name });
  await waitFor(() => begun.includes(name));
  return { runId, stepId: await onlyStepOf(runId) };
}

async function onlyStepOf(runId: string): Promise<string> {
  const { rows } = await bed.admin.query<{ run_id: string }>(
    'SELECT run_id FROM workflow_steps WHERE workflow_run_id = $1',
    [runId],
  );
  return rows[0]?.run_id ?? '';
}

async function handedOver(runId: string, times = 1): Promise<void> {
  await waitFor(
    async () => (await bed.events(runId)).filter((event) => event === 'handed_over').length === times,
  );
}

describe('a workflow run that was handed over', () => {
  it('is held by the engine, and its worker has nothing of it', async () => {
    const runId = await bed.start('test.asleep');
    await handedOver(runId);
    const row = await rowOf(bed.admin, runId);
    expect(row).toMatchObject({ status: 'running', lease_owner: ENGINE_OWNER, epoch: 2, attempt: 1 });
    expect(row.lease_expires_at?.getUTCFullYear()).toBe(9999);
    const facts = await loadExplainFacts(bed.engine.db, bed.engine.registry, runId);
    if (facts === null) throw new Error('no facts');
    expect(explainRun(facts).reasons).toMatchObject([
      { code: 'running', message: expect.stringContaining('workflow') as string },
    ]);
    await bed.engine.dispatcher.cancel(runId);
  });

  it('is cancelled with what it has started', async () => {
    const { runId, stepId } = await held('cancelled');
    expect(await bed.engine.dispatcher.cancel(runId, 'enough')).toMatchObject({
      type: 'cancelled',
      descendants: 1,
    });
    expect((await bed.reach(stepId, 'cancelled')).status).toBe('cancelled');
    await noLeftovers(bed.admin);
  });

  it('is cancelled through the workflows below it', async () => {
    const runId = await bed.start('test.outer', { name: 'deep' });
    await waitFor(() => begun.includes('deep'));
    await bed.engine.dispatcher.cancel(runId);
    await noLeftovers(bed.admin);
    const { rows } = await bed.admin.query<{ status: string }>(
      'SELECT status FROM runs WHERE correlation_id = $1',
      [runId],
    );
    expect(rows.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
  });

  it('fails where a step of it is cancelled, by the policy of its workflow', async () => {
    const { runId, stepId } = await held('one step');
    await bed.engine.dispatcher.cancel(stepId);
    const run = await bed.reach(runId, 'failed');
    expect(run.error).toMatchObject({ type: 'RunCancelled' });
  });

  it('starts nothing while it is paused, and goes on where it was', async () => {
    const { runId, stepId } = await held('paused');
    expect(await bed.engine.dispatcher.pause(runId, 'lunch')).toEqual({ type: 'paused', from: 'running' });
    release.resolve();
    await bed.reach(stepId, 'completed');
    await waitFor(async () => {
      const { rows } = await bed.admin.query<{ status: string }>(
        'SELECT status FROM workflow_runs WHERE run_id = $1',
        [runId],
      );
      return rows[0]?.status === 'suspended';
    });
    expect(await onlyStepOf(runId)).toBe(stepId);
    await bed.engine.dispatcher.resume(runId);
    const run = await bed.reach(runId, 'completed');
    expect(run.result).toMatchObject({ after: { name: 'after' } });
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'handed_over',
      'paused',
      'resumed',
      'started',
      'handed_over',
      'completed',
    ]);
    release = deferred();
  });

  it('is ended by the deadline of its run, with what it has started', async () => {
    const runId = await bed.start('test.held', { name: 'late' }, { deadlineSeconds: 3_600 });
    await waitFor(() => begun.includes('late'));
    const stepId = await onlyStepOf(runId);
    await bed.admin.query(`UPDATE runs SET run_deadline_at = now() - interval '10 seconds' WHERE id = $1`, [
      runId,
    ]);
    await shift(bed.admin, [runId], 'deadline_at', '-10 seconds');
    await bed.reach(runId, 'timed_out');
    await bed.reach(stepId, 'cancelled');
    await noLeftovers(bed.admin);
  });

  it('goes on when the worker of its step is lost', async () => {
    const { runId, stepId } = await held('lost');
    await waitFor(async () => {
      // Again and again: its worker's heartbeat comes in between.
      await bed.admin.query(
        `UPDATE runs SET lease_expires_at = now() - interval '10 seconds'
         WHERE id = $1 AND status = 'running' AND crash_count = 0`,
        [stepId],
      );
      return (await rowOf(bed.admin, stepId)).crash_count === 1;
    });
    release.resolve();
    await bed.reach(runId, 'completed');
    expect(await rowOf(bed.admin, stepId)).toMatchObject({ status: 'completed', crash_count: 1, attempt: 2 });
    release = deferred();
  });

  it('fails at once where a step has params that its handler refuses', async () => {
    const run = await bed.run('test.unknown_params', {}, 'failed');
    expect(run.error).toMatchObject({
      category: 'VALIDATION',
      message: expect.stringContaining('params.wrong') as string,
    });
  });

  it('wakes from its timer whoever has died since, at any number of drivers', async () => {
    const runIds = await Promise.all(Array.from({ length: 20 }, () => bed.start('test.asleep')));
    for (const runId of runIds) await handedOver(runId);
    const drivers = [bed.newDriver(), bed.newDriver(), bed.newDriver()];
    for (const driver of drivers) driver.start();
    await waitFor(async () => {
      const { rows } = await bed.admin.query('SELECT 1 FROM workflow_inbox WHERE timer IS NOT NULL');
      return rows.length === 20;
    });
    await bed.admin.query('UPDATE workflow_inbox SET due_at = now() WHERE timer IS NOT NULL');
    for (const runId of runIds) await bed.reach(runId, 'completed');
    const { rows } = await bed.admin.query<{ steps: number }>(
      'SELECT count(*)::int AS steps FROM workflow_steps WHERE workflow_run_id = ANY ($1)',
      [runIds],
    );
    expect(rows[0]?.steps).toBe(20);
  });

  it('goes on with the version that it began with when a new one is registered', async () => {
    const { runId } = await held('pinned');
    const { db } = bed.engine;
    const first = await getWorkflowVersion(db, 'test.held', null);
    const next = { name: 'test.held', hash: 'f'.repeat(64), definition: {}, createdBy: 'test' };
    const registered = await Promise.all([1, 2, 3].map(() => registerWorkflowVersion(db, next)));
    expect(registered.map(({ version }) => version)).toEqual([2, 2, 2]);
    expect(registered.filter(({ isNew }) => isNew)).toHaveLength(1);
    release.resolve();
    expect((await bed.reach(runId, 'completed')).result).toMatchObject({ after: { name: 'after' } });
    release = deferred();
    expect(await getWorkflowVersion(db, 'test.held', 1)).toEqual(first);
    await expect(db.updateTable('workflow_definitions').set({ changelog: 'x' }).execute()).rejects.toThrow(
      'permission denied',
    );
  });

  it('is told nothing that comes after its end', async () => {
    await noLeftovers(bed.admin);
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });
});
