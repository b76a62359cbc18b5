/** Workflows of every kind of step, from their submission to their end, by workers and a driver over Postgres. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decideApproval, tellWorkflow } from '@spine/database';
import { StepResult } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { leftovers, noLeftovers, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const shoutParams = z.strictObject({ text: z.string() });

let bed: WorkflowBed;
const calls: string[] = [];
const undone: string[] = [];
let attempts = 0;
let running = 0;
let mostRunning = 0;

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: {
      add: ({ a, b }) => ({ sum: Number(a) + Number(b) }),
      note: ({ text }) => {
        calls.push(String(text));
        return { text: text ?? null };
      },
      flaky: () => {
        attempts += 1;
        return attempts < 3 ? StepResult.fail('not yet', { category: 'NETWORK' }) : { attempts };
      },
      fails: () => StepResult.fail('broken for good', { category: 'VALIDATION' }),
      square: async ({ n }) => {
        running += 1;
        mostRunning = Math.max(mostRunning, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return { squared: Number(n) ** 2 };
      },
      undo: ({ what }) => {
        undone.push(String(what));
        return {};
      },
    },
    workflows: [
      {
        name: 'test.sequence',
        steps: [
          { kind: 'lambda', name: 'first', handler: 'add', params: { a: '{{ params.n }}', b: 1 } },
          {
            kind: 'lambda',
            name: 'second',
            handler: 'add',
            params: { a: '{{ steps.first.output.sum }}', b: 10 },
          },
          {
            kind: 'operation',
            name: 'third',
            handler: 'test.shout',
            params: { text: 'sum {{ steps.second.output.sum }}' },
          },
        ],
      },
      {
        name: 'test.diamond',
        policy: { mode: 'parallel' },
        steps: [
          { kind: 'lambda', name: 'top', handler: 'add', params: { a: 1, b: 1 } },
          {
            kind: 'lambda',
            name: 'left',
            handler: 'add',
            dependsOn: ['top'],
            params: { a: '{{ steps.top.output.sum }}', b: 1 },
          },
          {
            kind: 'lambda',
            name: 'right',
            handler: 'add',
            dependsOn: ['top'],
            params: { a: '{{ steps.top.output.sum }}', b: 2 },
          },
          {
            kind: 'lambda',
            name: 'bottom',
            handler: 'add',
            dependsOn: ['left', 'right'],
            params: { a: '{{ steps.left.output.sum }}', b: '{{ steps.right.output.sum }}' },
          },
        ],
      },
      {
        name: 'test.retry',
        steps: [
          {
            kind: 'lambda',
            name: 'flaky',
            handler: 'flaky',
            retry: { strategy: 'constant', maxRetries: 5, baseDelaySeconds: 0, jitter: false },
          },
        ],
      },
      {
        name: 'test.wait',
        steps: [
          { kind: 'wait', name: 'pause', wait: { durationSeconds: 0.05 } },
          { kind: 'lambda', name: 'after', handler: 'note', params: { text: 'after the wait' } },
        ],
      },
      {
        name: 'test.signal',
        steps: [
          { kind: 'wait', name: 'word', wait: { signal: 'go' } },
          { kind: 'lambda', name: 'after', handler: 'note', params: { text: '{{ steps.word.output.say }}' } },
        ],
      },
      {
        name: 'test.choice',
        policy: { mode: 'parallel' },
        steps: [
          {
            kind: 'choice',
            name: 'which',
            routes: [{ condition: 'params.n > 10', thenStep: 'big' }],
            elseStep: 'small',
          },
          { kind: 'lambda', name: 'big', handler: 'note', dependsOn: ['which'], params: { text: 'big' } },
          { kind: 'lambda', name: 'small', handler: 'note', dependsOn: ['which'], params: { text: 'small' } },
        ],
      },
      {
        name: 'test.map',
        steps: [
          {
            kind: 'map',
            name: 'squares',
            items: '{{ params.items }}',
            maxConcurrency: 3,
            iterator: [{ kind: 'lambda', name: 'square', handler: 'square', params: { n: '{{ item }}' } }],
          },
        ],
        outputs: { squares: '{{ steps.squares.output.items }}' },
      },
      {
        name: 'test.child',
        steps: [{ kind: 'lambda', name: 'inner', handler: 'add', params: { a: '{{ params.n }}', b: 100 } }],
        outputs: { answer: '{{ steps.inner.output.sum }}' },
      },
      {
        name: 'test.parent',
        steps: [
          { kind: 'workflow', name: 'child', workflow: 'test.child', params: { n: 5 } },
          {
            kind: 'lambda',
            name: 'after',
            handler: 'add',
            params: { a: '{{ steps.child.output.answer }}', b: 1 },
          },
        ],
      },
      {
        name: 'test.approval',
        steps: [
          { kind: 'approval', name: 'ask', approvers: ['ada'], message: 'May I?' },
          {
            kind: 'lambda',
            name: 'after',
            handler: 'note',
            params: { text: 'approved by {{ steps.ask.output.by }}' },
          },
        ],
      },
      {
        name: 'test.compensate',
        policy: { onFailure: { kind: 'lambda', handler: 'note', params: { text: 'it failed' } } },
        steps: [
          {
            kind: 'lambda',
            name: 'one',
            handler: 'add',
            params: { a: 1, b: 1 },
            compensate: { kind: 'lambda', handler: 'undo', params: { what: 'one' } },
          },
          {
            kind: 'lambda',
            name: 'two',
            handler: 'add',
            params: { a: 1, b: 1 },
            compensate: { kind: 'lambda', handler: 'undo', params: { what: 'two' } },
          },
          { kind: 'lambda', name: 'three', handler: 'fails' },
          { kind: 'lambda', name: 'four', handler: 'note', params: { text: 'never' } },
        ],
      },
    ],
    register: (registry) =>
      void registry.registerOperation(
        'test.shout',
        { description: 'Shouts.', params: shoutParams },
        ({ text }) => ({ text: text.toUpperCase() }),
      ),
  });
  await bed.begin();
});
afterAll(() => bed.close());

describe('a workflow', () => {
  it('runs its steps one after the other, each with what those before have answered', async () => {
    const run = await bed.run('test.sequence', { n: 1 });
    expect(run.result).toMatchObject({ third: { text: 'SUM 12' } });
    expect(await bed.events(run.runId)).toEqual(['submitted', 'started', 'handed_over', 'completed']);
  });

  it('runs independent steps side by side and joins them', async () => {
    const run = await bed.run('test.diamond');
    expect(run.result).toMatchObject({ bottom: { sum: 7 } });
  });

  it('makes failed attempts again by the policy of the step', async () => {
    const run = await bed.run('test.retry');
    expect(run.result).toMatchObject({ flaky: { attempts: 3 } });
    const { rows } = await bed.admin.query(
      `SELECT s.attempt, r.status FROM workflow_steps s JOIN runs r ON r.id = s.run_id
       WHERE s.workflow_run_id = $1 ORDER BY s.attempt`,
      [run.runId],
    );
    expect(rows).toEqual([
      { attempt: 1, status: 'failed' },
      { attempt: 2, status: 'failed' },
      { attempt: 3, status: 'completed' },
    ]);
  });

  it('waits without a worker', async () => {
    const run = await bed.run('test.wait');
    expect(run.result).toMatchObject({ after: { text: 'after the wait' } });
  });

  it('waits for a signal', async () => {
    const runId = await bed.start('test.signal');
    await handedOver(runId);
    expect(
      await tellWorkflow(bed.engine.db, runId, { type: 'signal', name: 'go', data: { say: 'hello' } }),
    ).toBe(true);
    const run = await bed.reach(runId, 'completed');
    expect(run.result).toMatchObject({ after: { text: 'hello' } });
    expect(await tellWorkflow(bed.engine.db, runId, { type: 'signal', name: 'go', data: {} })).toBe(false);
  });

  it('goes the way that a condition chooses', async () => {
    expect((await bed.run('test.choice', { n: 11 })).result).toMatchObject({ big: { text: 'big' } });
    expect((await bed.run('test.choice', { n: 10 })).result).toMatchObject({ small: { text: 'small' } });
  });

  it('maps items, never more at a time than it may', async () => {
    const run = await bed.run('test.map', { items: [1, 2, 3, 4, 5, 6, 7] });
    expect(run.result).toMatchObject({ squares: [1, 4, 9, 16, 25, 36, 49].map((squared) => ({ squared })) });
    expect(mostRunning).toBeLessThanOrEqual(3);
  });

  it('runs another workflow and goes on with its outputs', async () => {
    const run = await bed.run('test.parent');
    expect(run.result).toMatchObject({ after: { sum: 106 } });
  });

  it('waits for the person that it asks, and for no other', async () => {
    const runId = await bed.start('test.approval');
    await waitFor(async () => {
      const { rows } = await bed.admin.query('SELECT 1 FROM workflow_approvals WHERE workflow_run_id = $1', [
        runId,
      ]);
      return rows.length === 1;
    });
    const { db } = bed.engine;
    const decide = (by: string) =>
      decideApproval(
        db,
        runId,
        'ask',
        { approved: true, by, comment: null },
        {
          type: 'approval_decided',
          step: 'ask',
          approved: true,
          by,
        },
      );
    expect(await decide('bob')).toEqual({ type: 'not_asked', approvers: ['ada'] });
    const expires = async (at: string): Promise<void> => {
      const text = `UPDATE workflow_approvals SET expires_at = ${at} WHERE workflow_run_id = $1`;
      await bed.admin.query(text, [runId]);
    };
    // A decision that comes too late is refused, not taken and forgotten.
    await expires(`now() - interval '1 second'`);
    expect(await decide('ada')).toMatchObject({ type: 'expired' });
    await expires(`now() + interval '1 hour'`);
    expect(await decide('ada')).toEqual({ type: 'decided' });
    expect(await decide('ada')).toEqual({ type: 'not_open' });
    expect((await bed.reach(runId, 'completed')).result).toMatchObject({
      after: { text: 'approved by ada' },
    });
  });

  it('undoes what it has done when it fails, the last first, and then calls its failure handler', async () => {
    calls.length = 0;
    const run = await bed.run('test.compensate', {}, 'failed');
    expect(run.error).toMatchObject({ message: 'step three: broken for good', category: 'VALIDATION' });
    expect(undone).toEqual(['two', 'one']);
    expect(calls).toEqual(['it failed']);
  });

  it('leaves nothing behind', async () => {
    await noLeftovers(bed.admin);
    expect(await leftovers(bed.admin)).toEqual([]);
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });
});

async function handedOver(runId: string): Promise<void> {
  await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
}
