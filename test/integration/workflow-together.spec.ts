/** Many workflows in one transaction and many hand-overs in one statement: none of them pays for another. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { beginWorkflows, cancelRun, claimRuns, settleRuns } from '@spine/database';
import type { ClaimedRun } from '@spine/database';
import { advanceRuns, DefinitionVersions } from '@spine/orchestration';
import type { AdvanceServices, WorkflowInput } from '@spine/orchestration';
import { LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

const two = (name: string): WorkflowInput => ({
  name,
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'lambda', name: 'a', handler: 'nothing' },
    { kind: 'lambda', name: 'b', handler: 'nothing' },
  ],
});

let bed: WorkflowBed;
let services: AdvanceServices;

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { nothing: () => ({}) },
    workflows: [two('test.good'), two('test.other')],
  });
  // Publishes what the code has.
  const { worker, driver } = await bed.begin();
  await bed.run('test.good');
  await bed.run('test.other');
  await worker.stop(0);
  await driver.stop();
});
beforeEach(() => {
  services = { ...bed.engine, definitions: new DefinitionVersions() };
});
afterAll(() => bed.close());

async function claimed(runIds: readonly string[], handler: string): Promise<ClaimedRun[]> {
  return claimRuns(bed.engine.pool, runIds, { workerId: newId(), leaseMs: 30_000, handlers: [handler] });
}

/** Runs that are handed over and have to be told that they have started. No driver looks. */
async function begun(...names: readonly string[]): Promise<string[]> {
  const runIds: string[] = [];
  for (const name of names) {
    const runId = await bed.submit({ kind: 'workflow', name, lane: `${LANE}-kept` });
    const [run] = await claimed([runId], `workflow:${name}`);
    if (run === undefined) throw new Error('nothing was claimed');
    const started = { type: 'started', runId, params: {}, environment: 'test' };
    expect(
      await beginWorkflows(bed.engine.pool, [{ runId, epoch: run.epoch, name, version: 1, started }], 'test'),
    ).toEqual(['handed_over']);
    runIds.push(runId);
  }
  return runIds;
}

async function stepsOf(runId: string): Promise<string[]> {
  const { rows } = await bed.admin.query<{ id: string }>(
    'SELECT id FROM runs WHERE parent_run_id = $1 ORDER BY id',
    [runId],
  );
  return rows.map(({ id }) => id);
}

const transactionsOf = async (runIds: readonly string[]): Promise<number> => {
  const { rows } = await bed.admin.query<{ n: number }>(
    'SELECT count(DISTINCT xmin::text) AS n FROM runs WHERE parent_run_id = ANY ($1)',
    [runIds],
  );
  return rows[0]?.n ?? 0;
};

describe('workflows that are advanced together', () => {
  it('share a transaction', async () => {
    const runIds = await begun('test.good', 'test.good', 'test.other');
    const results = await advanceRuns(services, runIds);
    expect([...results.values()].map(({ type }) => type)).toEqual(['advanced', 'advanced', 'advanced']);
    for (const runId of runIds) expect(await stepsOf(runId)).toHaveLength(2);
    expect(await transactionsOf(runIds)).toBe(1);
  });

  it('go on without one that cannot be planned', async () => {
    const [good = '', bad = ''] = await begun('test.good', 'test.other');
    await bed.admin.query(`UPDATE workflow_definitions SET definition = '{}' WHERE name = 'test.other'`);
    const results = await advanceRuns(services, [bad, good]);
    expect(results.get(bad)).toMatchObject({ type: 'failed', error: { name: 'ValidationError' } });
    expect(results.get(good)).toMatchObject({ type: 'advanced' });
    expect(await stepsOf(good)).toHaveLength(2);
    expect(await stepsOf(bad)).toEqual([]);
    const { rows } = await bed.admin.query('SELECT 1 FROM workflow_inbox WHERE workflow_run_id = $1', [bad]);
    expect(rows).toHaveLength(1);
  });

  it('each get a transaction of their own when one of them cannot be written', async () => {
    const [first = '', bad = '', last = ''] = await begun('test.good', 'test.good', 'test.good');
    await bed.admin.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.run_id = '${bad}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON workflow_history FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const results = await advanceRuns(services, [first, bad, last]);
    await bed.admin.query('DROP TRIGGER refuse ON workflow_history; DROP FUNCTION refuse()');
    expect(results.get(bad)).toMatchObject({ type: 'failed', error: { message: 'refused' } });
    for (const runId of [first, last]) {
      expect(results.get(runId)).toMatchObject({ type: 'advanced' });
      expect(await stepsOf(runId)).toHaveLength(2);
    }
    expect(await stepsOf(bad)).toEqual([]);
  });

  it('leave those that somebody else advances or cancels', async () => {
    const [free = '', held = '', cancelled = ''] = await begun('test.good', 'test.good', 'test.good');
    const client = await bed.admin.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM workflow_runs WHERE run_id = $1 FOR UPDATE', [held]);
      await client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [cancelled]);
      const results = await advanceRuns(services, [free, held, cancelled]);
      expect([...results.keys()]).toEqual([free]);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
    expect((await advanceRuns(services, [free, held, cancelled])).size).toBe(2);
  });
});

describe('hand-overs of one statement', () => {
  it('answer for each, and leave what was taken from its attempt', async () => {
    const runIds = [
      await bed.submit({ kind: 'workflow', name: 'test.good', lane: `${LANE}-kept` }),
      await bed.submit({ kind: 'workflow', name: 'test.good', lane: `${LANE}-kept` }),
    ];
    const runs = await claimed(runIds, 'workflow:test.good');
    const [mine, lost] = runs;
    if (mine === undefined || lost === undefined) throw new Error('nothing was claimed');
    await bed.admin.query(
      `INSERT INTO workflow_starts (run_id, inherited) VALUES ($1, '{"environment": "inherited"}')`,
      [mine.runId],
    );
    await cancelRun(bed.engine.db, lost.runId, null, 'test');
    const beginning = (run: ClaimedRun) => ({
      runId: run.runId,
      epoch: run.epoch,
      name: 'test.good',
      version: 1,
      started: { type: 'started', environment: 'own' },
    });
    expect(await beginWorkflows(bed.engine.pool, runs.map(beginning), 'test')).toEqual([
      'handed_over',
      'fenced',
    ]);
    const { rows } = await bed.admin.query(
      `SELECT w.run_id, w.epoch - r.epoch AS ahead, i.event->>'environment' AS environment FROM workflow_runs w
       JOIN runs r ON r.id = w.run_id JOIN workflow_inbox i ON i.workflow_run_id = w.run_id WHERE w.run_id = ANY ($1)`,
      [runIds],
    );
    expect(rows).toEqual([{ run_id: mine.runId, ahead: 0, environment: 'inherited' }]);
    // One that was handed over before goes on where it was: not by this statement.
    const again = beginning({ ...mine, epoch: mine.epoch + 1 });
    await expect(beginWorkflows(bed.engine.pool, [again], 'test')).rejects.toMatchObject({ code: '23505' });
  });
});

describe('the end of a step', () => {
  it('is told once, whether it was settled or cancelled', async () => {
    const [runId = ''] = await begun('test.good');
    await advanceRuns(services, [runId]);
    const [settled = '', cancelled = ''] = await stepsOf(runId);
    const [step] = await claimed([settled], 'step:lambda.nothing');
    if (step === undefined) throw new Error('nothing was claimed');
    const settlement = { type: 'completed', result: '{}' } as const;
    await settleRuns(bed.engine.pool, [{ runId: settled, epoch: step.epoch, settlement }], {
      source: 'test',
    });
    await cancelRun(bed.engine.db, cancelled, null, 'test');
    const { rows } = await bed.admin.query(
      `SELECT i.ended_run_id AS id, r.workflow_told AS told FROM workflow_inbox i JOIN runs r ON r.id = i.ended_run_id
       WHERE i.workflow_run_id = $1 ORDER BY i.event_seq`,
      [runId],
    );
    expect(rows).toEqual([
      { id: settled, told: true },
      { id: cancelled, told: null },
    ]);
  });
});
