/** Runs of workflows that are for a partition: done once, one at a time, and written down. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listAnomalies, manifestOf, workflowDomain, WORKFLOW_STAGE } from '@spine/database';
import type { RunRecord } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import { StepResult } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { deferred } from './engine-run-support.ts';
import { noLeftovers, LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

let bed: WorkflowBed;
const gates = new Map<string, ReturnType<typeof deferred<void>>>();
const gateOf = (name: string): ReturnType<typeof deferred<void>> => {
  const known = gates.get(name) ?? deferred<void>();
  gates.set(name, known);
  return known;
};
const begun: string[] = [];
const inside = new Set<string>();

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: {
      hold: async ({ name }, ctx) => {
        begun.push(String(name));
        const aborted = new Promise<void>((resolve) =>
          ctx.signal.addEventListener('abort', () => resolve(), { once: true }),
        );
        await Promise.race([gateOf(String(name)).promise, aborted]);
        return { name: String(name) };
      },
      work: async ({ week }) => {
        const key = String(week);
        if (inside.has(key)) throw new Error(`two at once of ${key}`);
        inside.add(key);
        await new Promise((resolve) => setImmediate(resolve));
        inside.delete(key);
        begun.push(key);
        return {};
      },
      fail: () => StepResult.fail('the source is empty', { category: 'DATA_QUALITY' }),
      count: ({ n }) =>
        Number(n) < 2
          ? StepResult.ok(
              {},
              {
                modifications: [
                  { type: 'continue_as_new', params: { n: Number(n) + 1 }, keepOutputs: false },
                ],
              },
            )
          : { n: Number(n) },
    },
    workflows: [
      {
        name: 'test.weekly',
        steps: [{ kind: 'lambda', name: 'held', handler: 'hold', params: { name: '{{ params.name }}' } }],
      },
      {
        name: 'test.crowded',
        steps: [{ kind: 'lambda', name: 'work', handler: 'work', params: { week: '{{ params.week }}' } }],
      },
      { name: 'test.failing', steps: [{ kind: 'lambda', name: 'fetch', handler: 'fail' }] },
      { name: 'test.long', steps: [{ kind: 'wait', name: 'long', wait: { durationSeconds: 86_400 } }] },
      {
        name: 'test.counting',
        defaults: { n: 1 },
        steps: [{ kind: 'lambda', name: 'count', handler: 'count', params: { n: '{{ params.n }}' } }],
      },
    ],
  });
  await bed.begin();
  await bed.begin();
});
afterAll(() => bed.close());

const week = (n: number, more: Record<string, unknown> = {}) => ({
  metadata: { workflow_partition: { tier: 'OTC', week: n }, ...more },
});
const start = (name: string, n: number, more = {}): Promise<string> =>
  bed.start('test.weekly', { name }, week(n, more));

async function done(name: string, n: number, more = {}): Promise<RunRecord> {
  gateOf(name).resolve();
  return bed.reach(await start(name, n, more), 'completed');
}

describe('a partition', () => {
  it('that is completed is skipped, with the run that did it, and done again when that is forced', async () => {
    const first = await done('first', 1);
    expect(first.result).toMatchObject({ held: { name: 'first' } });
    const again = await done('again', 1);
    expect(again.result).toEqual({
      status: 'skipped',
      reason: 'this partition is completed',
      run_id: first.runId,
    });
    expect(begun).not.toContain('again');
    // The spelling of a key is not its order.
    const swapped = await bed.reach(
      await bed.start(
        'test.weekly',
        { name: 'swapped' },
        { metadata: { workflow_partition: { week: 1, tier: 'OTC' } } },
      ),
      'completed',
    );
    expect(swapped.result).toMatchObject({ status: 'skipped' });
    const forced = await done('forced', 1, { workflow_force: true });
    expect(forced.result).toMatchObject({ held: { name: 'forced' } });
    const rows = await manifestOf(bed.engine.db, workflowDomain('test.weekly'), { tier: 'OTC', week: 1 });
    expect(rows).toMatchObject([{ stage: WORKFLOW_STAGE, runId: forced.runId, metrics: { version: 1 } }]);
    expect((await done('other', 2)).result).toMatchObject({ held: { name: 'other' } });
  });

  it('has one run under way: the other waits, and is skipped when the first has completed it', async () => {
    const first = await start('w1', 3);
    await waitFor(() => begun.includes('w1'));
    const second = await start('w2', 3, { workflow_force: false });
    await waitFor(async () => (await bed.events(second)).includes('deferred'));
    gateOf('w1').resolve();
    await bed.reach(first, 'completed');
    expect((await bed.reach(second, 'completed')).result).toMatchObject({ status: 'skipped', run_id: first });
  });

  it('goes to the one that waits when the first is cancelled', async () => {
    const first = await start('c1', 4);
    await waitFor(() => begun.includes('c1'));
    const second = await start('c2', 4);
    await waitFor(async () => (await bed.events(second)).includes('deferred'));
    await bed.engine.dispatcher.cancel(first);
    gateOf('c2').resolve();
    expect((await bed.reach(second, 'completed')).result).toMatchObject({ held: { name: 'c2' } });
    await expect(anomalies('test.weekly')).resolves.toEqual([]);
  });

  it('stays with a run that is paused: another is skipped, also a forced one', async () => {
    const first = await start('p1', 5);
    await waitFor(() => begun.includes('p1'));
    await bed.engine.dispatcher.pause(first);
    const second = await bed.reach(await start('p2', 5, { workflow_force: true }), 'completed');
    expect(second.result).toMatchObject({ status: 'skipped', run_id: first });
    await bed.engine.dispatcher.resume(first);
    gateOf('p1').resolve();
    await bed.reach(first, 'completed');
  });

  it('is done once and never by two at a time, however many come at once', async () => {
    const specs = Array.from({ length: 15 }, (_, index) =>
      workflowSpec('test.crowded', { week: index % 3 }, { lane: LANE, ...week(index % 3) }),
    );
    const ids = (await bed.engine.dispatcher.submitAll(specs)).map((outcome) =>
      outcome.type === 'accepted' ? outcome.runId : '',
    );
    const runs = await Promise.all(ids.map((id) => bed.reach(id, 'completed')));
    const skipped = runs.filter(({ result }) => (result as { status?: string }).status === 'skipped');
    expect(skipped).toHaveLength(12);
    expect(begun.filter((name) => /^[012]$/.test(name)).sort()).toEqual(['0', '1', '2']);
  });

  it('that a run fails has an anomaly, and is open for the next', async () => {
    const runId = await bed.start('test.failing', {}, week(6));
    await bed.reach(runId, 'failed');
    expect(await anomalies('test.failing')).toMatchObject([
      {
        partitionKey: { tier: 'OTC', week: 6 },
        category: 'WORKFLOW_FAILURE',
        severity: 'ERROR',
        runId,
        metadata: { step: 'fetch', error_category: 'DATA_QUALITY' },
      },
    ]);
    await bed.reach(await bed.start('test.failing', {}, week(6)), 'failed');
    expect(await anomalies('test.failing')).toHaveLength(2);
    expect(await manifestOf(bed.engine.db, workflowDomain('test.failing'), { tier: 'OTC', week: 6 })).toEqual(
      [],
    );
  });

  it('whose run a deadline ends has an anomaly as well', async () => {
    const runId = await bed.start('test.long', {}, { ...week(7), deadlineSeconds: 0.2 });
    await bed.reach(runId, 'timed_out');
    await waitFor(async () => (await anomalies('test.long')).length === 1);
    expect(await anomalies('test.long')).toMatchObject([{ category: 'TIMEOUT', runId }]);
  });

  it('goes with a run that goes on as a new one', async () => {
    const first = await bed.start('test.counting', { n: 1 }, week(8));
    const { result } = await bed.reach(first, 'completed');
    expect(result).not.toMatchObject({ status: 'skipped' });
    await waitFor(async () => {
      const rows = await manifestOf(bed.engine.db, workflowDomain('test.counting'), { tier: 'OTC', week: 8 });
      return rows.length === 1 && rows[0]?.runId !== first;
    });
  });

  it('is no partition: refused where the run is submitted', async () => {
    const outcome = await bed.engine.dispatcher.submit(
      workflowSpec('test.weekly', {}, { metadata: { workflow_partition: [] } }),
    );
    expect(outcome).toMatchObject({
      type: 'invalid',
      issues: [{ field: 'metadata.workflow_partition', code: 'invalid_type' }],
    });
  });

  it('is kept by the database to one run under way', async () => {
    const [a, b] = [await start('u1', 9), await start('u2', 10)];
    await waitFor(() => begun.includes('u1') && begun.includes('u2'));
    await expect(
      bed.admin.query(
        `UPDATE workflow_runs SET partition_key = (SELECT partition_key FROM workflow_runs WHERE run_id = $1) WHERE run_id = $2`,
        [a, b],
      ),
    ).rejects.toMatchObject({ constraint: 'workflow_runs_partition' });
    for (const name of ['u1', 'u2']) gateOf(name).resolve();
    for (const runId of [a, b]) await bed.reach(runId, 'completed');
    await noLeftovers(bed.admin);
  });
});

async function anomalies(workflow: string) {
  const page = await listAnomalies(bed.engine.db, { domain: workflowDomain(workflow) }, { limit: 10 });
  return page.items;
}
