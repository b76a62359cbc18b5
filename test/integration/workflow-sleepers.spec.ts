/** Workflows that wait hold no worker: hundreds of them sleep beside a worker with twenty slots. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENGINE_OWNER } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { publishCode } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const SLEEPERS = 500;

let bed: WorkflowBed;

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { add: ({ n }) => ({ n: Number(n) + 1 }) },
    workflows: [
      {
        name: 'test.sleeper',
        steps: [
          { kind: 'wait', name: 'hour', wait: { durationSeconds: 3_600 } },
          { kind: 'lambda', name: 'last', handler: 'add', params: { n: '{{ params.n }}' } },
        ],
        outputs: { n: '{{ steps.last.output.n }}' },
      },
    ],
  });
  // As every worker process does.
  await publishCode(bed.engine.db, bed.workflows.definitions.values(), silentLogger());
});
afterAll(() => bed.close());

async function count(condition: string): Promise<number> {
  const { rows } = await bed.admin.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${condition}`);
  return rows[0]?.n ?? 0;
}

it('sleepers take no slot, keep nobody waiting, and all wake', { timeout: 60_000 }, async () => {
  const driver = bed.newDriver();
  const worker = await bed.startWorker(LANE, { slots: 20, onEnded: () => driver.wake() });
  driver.start();
  await bed.engine.dispatcher.submitAll(
    Array.from({ length: SLEEPERS }, (_, n) => workflowSpec('test.sleeper', { n }, { lane: LANE })),
  );
  await waitFor(async () => (await count('workflow_inbox WHERE timer IS NOT NULL')) === SLEEPERS, {
    timeoutMs: 30_000,
  });
  await waitFor(() => worker.running === 0);
  expect(await count(`runs WHERE status = 'running' AND lease_owner = '${ENGINE_OWNER}'`)).toBe(SLEEPERS);
  expect(await count(`runs WHERE status = 'running'`)).toBe(SLEEPERS);

  const besides = await bed.submit(bed.probe(LANE, () => null));
  await bed.reach(besides, 'completed');

  await bed.admin.query('UPDATE workflow_inbox SET due_at = now()');
  await waitFor(async () => (await count(`runs WHERE status <> 'completed'`)) === 0, { timeoutMs: 30_000 });
  expect(await count(`runs WHERE kind = 'workflow' AND result->>'n' = ((params->>'n')::int + 1)::text`)).toBe(
    SLEEPERS,
  );
  expect(await count('workflow_inbox')).toBe(0);
});
