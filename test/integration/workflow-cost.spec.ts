/** What an advance costs: it does not grow with the steps that are over, nor with the workflows that sleep. */
import { Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACTIVE_RUNS_OF_SQL,
  claimRuns,
  createPool,
  DETACHED_RUNS_OF_SQL,
  DUE_WORKFLOWS_SQL,
  INBOX_SQL,
  LOCK_WORKFLOWS_SQL,
  OPEN_TIMERS_SQL,
  PAUSE_CHILDREN_SQL,
  RESUME_CHILDREN_SQL,
  settleRuns,
  STEPS_SQL,
  TAKE_BEGINNINGS_SQL,
  UNIT_TIMES_SQL,
} from '@spine/database';
import type { Database, Db, Pool } from '@spine/database';
import { newId } from '@spine/core';
import { advanceRun, DefinitionVersions } from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { planOf } from './plan-support.ts';
import { openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const FEW = 10;
const MANY = 60;

const chain = (steps: number): WorkflowInput => ({
  name: `test.chain_${steps}`,
  steps: Array.from({ length: steps }, (_, index) => ({
    kind: 'lambda',
    name: `step_${String(index).padStart(4, '0')}`,
    handler: 'nothing',
  })),
  outputs: {},
});

interface Cost {
  readonly statements: number;
  /** Of parameters and of rows, as JSON. */
  readonly bytes: number;
}

let bed: WorkflowBed;
let counted: Db;
let countedPool: Pool;
let statements = 0;
let bytes = 0;

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { nothing: () => ({ rows: 'x'.repeat(500) }) },
    workflows: [chain(FEW), chain(MANY)],
  });
  countedPool = createPool({ connectionString: bed.databaseUrl });
  counted = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: countedPool }),
    log: ({ query }) => {
      statements += 1;
      bytes += JSON.stringify(query.parameters).length;
    },
    plugins: [
      {
        transformQuery: ({ node }) => node,
        transformResult: ({ result }) => {
          bytes += JSON.stringify(result.rows).length;
          return Promise.resolve(result);
        },
      },
    ],
  });
});
afterAll(async () => {
  await counted.destroy();
  await bed.close();
});

/** Hands a run over, and takes its worker away: from here on the test is the worker. */
async function handedOver(name: string): Promise<string> {
  const worker = await bed.startWorker('workflows', { slots: 1 });
  const runId = await bed.start(name);
  await waitFor(async () => (await bed.events(runId)).includes('handed_over'));
  await worker.stop(0);
  return runId;
}

/** Completes the step that waits. */
async function settleNext(runId: string): Promise<void> {
  const { pool } = bed.engine;
  const { rows } = await bed.admin.query<{ id: string }>(
    'SELECT id FROM runs WHERE parent_run_id = $1 AND completed_at IS NULL',
    [runId],
  );
  const options = { workerId: newId(), leaseMs: 30_000, handlers: ['step:lambda.nothing'] };
  const claimed = await claimRuns(
    pool,
    rows.map(({ id }) => id),
    options,
  );
  const result = JSON.stringify({ rows: 'x'.repeat(500) });
  await settleRuns(
    pool,
    claimed.map((run) => ({ runId: run.runId, epoch: run.epoch, settlement: { type: 'completed', result } })),
    { source: 'test' },
  );
}

/** The costs of every advance but the last. */
async function costsOf(steps: number): Promise<Cost[]> {
  const runId = await handedOver(`test.chain_${steps}`);
  const services = { ...bed.engine, db: counted, definitions: new DefinitionVersions() };
  expect(await advanceRun(services, runId)).toMatchObject({ type: 'advanced' });
  const costs: Cost[] = [];
  for (let step = 1; step < steps; step += 1) {
    await settleNext(runId);
    [statements, bytes] = [0, 0];
    expect(await advanceRun(services, runId)).toMatchObject({ type: 'advanced', events: 1, ended: false });
    costs.push({ statements, bytes });
  }
  await settleNext(runId);
  expect(await advanceRun(services, runId)).toMatchObject({ ended: true });
  return costs;
}

describe('an advance', () => {
  it('costs the same after 10 steps and after 60', { timeout: 60_000 }, async ({ annotate }) => {
    const few = await costsOf(FEW);
    const many = await costsOf(MANY);
    await annotate(JSON.stringify({ first: few[1], last: many.at(-1) }));
    const statementsOf = (costs: Cost[]): number => Math.max(...costs.map((cost) => cost.statements));
    const bytesOf = (costs: Cost[]): number => Math.max(...costs.map((cost) => cost.bytes));
    expect(statementsOf(many)).toBe(statementsOf(few));
    // A counter has two digits more.
    expect(bytesOf(many)).toBeLessThan(bytesOf(few) + 50);
  });
});

describe('its statements', () => {
  it('find their rows by index among many workflows', async () => {
    const { admin } = bed;
    await admin.query(`
      INSERT INTO runs (id, kind, name, lane, priority, status, params, trigger_source, metadata, tags, max_attempts,
        retry_delay_ms, timeout_ms, dead_letter, available_at, dispatch_after, parent_run_id)
      SELECT gen_random_uuid(), 'step', 'x', 'l', 2, 'queued', '{}', 'test', '{}', '{}', 1, 0, 1000, false, now(), now(),
        gen_random_uuid() FROM generate_series(1, 10000)`);
    await admin.query(`
      INSERT INTO workflow_runs (run_id, name, version, epoch)
      SELECT parent_run_id, 'test.chain_${FEW}', 1, 1 FROM runs WHERE name = 'x'`);
    await admin.query(`
      INSERT INTO workflow_steps (workflow_run_id, unit, attempt, run_id, kind)
      SELECT parent_run_id, 'a', 1, id, 'step' FROM runs WHERE name = 'x'`);
    await admin.query(`
      INSERT INTO workflow_inbox (workflow_run_id, event, timer, due_at)
      SELECT parent_run_id, '{}', 't', now() + interval '1 day' FROM runs WHERE name = 'x'`);
    await admin.query('ANALYZE runs, workflow_runs, workflow_steps, workflow_inbox');
    const { rows } = await admin.query<{ run_id: string }>('SELECT run_id FROM workflow_runs LIMIT 1');
    const runId = rows[0]?.run_id ?? '';
    const sent = [
      { text: DUE_WORKFLOWS_SQL, values: [64] },
      { text: LOCK_WORKFLOWS_SQL, values: [[runId]] },
      { text: TAKE_BEGINNINGS_SQL, values: [[runId], [1], 'test'] },
      { text: INBOX_SQL, values: [[runId], 500] },
      { text: ACTIVE_RUNS_OF_SQL, values: [[runId]] },
      { text: DETACHED_RUNS_OF_SQL, values: [[runId]] },
      { text: STEPS_SQL, values: [runId, '00000000-0000-0000-0000-000000000000', 50, 0] },
      { text: UNIT_TIMES_SQL, values: [runId, '{a}'] },
      { text: OPEN_TIMERS_SQL, values: [runId, 100] },
      { text: PAUSE_CHILDREN_SQL, values: [`{${runId}}`, 'test'] },
      { text: RESUME_CHILDREN_SQL, values: [`{${runId}}`, 'test'] },
    ];
    for (const statement of sent) {
      const plan = await planOf(admin, 'force_custom_plan', statement);
      expect(plan.seqScans, statement.text).toEqual([]);
    }
  });
});
