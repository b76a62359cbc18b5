/** When a driver of workflows looks: woken by word of others, by the next timer, and rarely by itself. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool } from '@spine/database';
import type { Db, Queryable } from '@spine/database';
import {
  cancelWorkflow,
  decideWorkflowApproval,
  DefinitionVersions,
  signalWorkflow,
  WorkflowDriver,
} from '@spine/orchestration';
import type { WorkflowDriverOptions } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { LANE, openWorkflowBed } from './workflow-support.ts';
import type { WorkflowBed } from './workflow-support.ts';

/** Longer than any test: what happens before was no look by itself. */
const NEVER_MS = 3_600_000;

let bed: WorkflowBed;
/** As another process has it. */
let elsewhere: Db;
const drivers: WorkflowDriver[] = [];

beforeAll(async () => {
  bed = await openWorkflowBed({
    functions: { nothing: () => ({}) },
    workflows: [
      { name: 'test.signalled', steps: [{ kind: 'wait', name: 'word', wait: { signal: 'go' } }] },
      { name: 'test.asks', steps: [{ kind: 'approval', name: 'ask', approvers: [] }] },
      { name: 'test.sleeps', steps: [{ kind: 'wait', name: 'nap', wait: { durationSeconds: 0.2 } }] },
      {
        name: 'test.goes_on',
        steps: [
          { kind: 'wait', name: 'word', wait: { signal: 'go' } },
          { kind: 'lambda', name: 'later', handler: 'nothing' },
        ],
      },
    ],
  });
  elsewhere = createDb(createPool({ connectionString: bed.databaseUrl }));
});
afterEach(() => Promise.all(drivers.splice(0).map((driver) => driver.stop())));
afterAll(async () => {
  await elsewhere.destroy();
  await bed.close();
});

interface Watched {
  readonly driver: WorkflowDriver;
  looks(): number;
}

/** A driver whose looks are counted. Where an option is not given, it has its default. */
function driverWith(options: Partial<WorkflowDriverOptions>): Watched {
  let looks = 0;
  const { pool } = bed.engine;
  const counting: Queryable = {
    query: (query) => {
      looks += 1;
      return pool.query(query);
    },
  };
  const driver = new WorkflowDriver({
    ...bed.engine,
    definitions: new DefinitionVersions(),
    ...options,
    pool: counting,
  });
  drivers.push(driver);
  driver.start();
  return { driver, looks: () => looks };
}

/** Starts a run, and answers when it waits. */
async function waiting(name: string, driver: WorkflowDriver): Promise<string> {
  const worker = await bed.startWorker(LANE, { onEnded: () => driver.wake() });
  const runId = await bed.start(name);
  await waitFor(
    async () => {
      const { rows } = await bed.admin.query(`SELECT 1 FROM workflow_state WHERE run_id = $1 LIMIT 1`, [
        runId,
      ]);
      return rows.length > 0;
    },
    { message: () => `${name} waits` },
  );
  await worker.stop();
  return runId;
}

describe('a driver that would not look for an hour', () => {
  it('is woken by a signal, a decision and a cancel that another process has committed', async () => {
    const { driver } = driverWith({ pollMs: NEVER_MS });
    const signalled = await waiting('test.signalled', driver);
    expect(await signalWorkflow(elsewhere, signalled, 'go', {})).toBe(true);
    await bed.reach(signalled, 'completed');

    const asked = await waiting('test.asks', driver);
    const decision = { approved: true, by: 'ada', comment: null };
    expect(await decideWorkflowApproval(elsewhere, asked, 'ask', decision)).toEqual({ type: 'decided' });
    await bed.reach(asked, 'completed');

    const cancelled = await waiting('test.asks', driver);
    expect(await cancelWorkflow(elsewhere, cancelled, 'ada')).toBe(true);
    await bed.reach(cancelled, 'cancelled');
  });

  it('is woken by the cancel of a step that nobody had begun', async () => {
    const { driver } = driverWith({ pollMs: NEVER_MS });
    const runId = await waiting('test.goes_on', driver);
    await signalWorkflow(elsewhere, runId, 'go', {});
    const stepId = await waitFor(async () => {
      const { rows } = await bed.admin.query<{ id: string }>('SELECT id FROM runs WHERE parent_run_id = $1', [
        runId,
      ]);
      return rows[0]?.id;
    });
    expect(await bed.engine.dispatcher.cancel(stepId)).toMatchObject({ type: 'cancelled', from: 'queued' });
    await bed.reach(runId, 'failed');
  });

  it('wakes for the next timer', async () => {
    const { driver, looks } = driverWith({ pollMs: NEVER_MS });
    await bed.reach(await waiting('test.sleeps', driver), 'completed');
    // Started, waiting, due, ended, and words of other tests: it has not spun until then.
    expect(looks()).toBeLessThan(20);
  });

  it('looks when it may have missed something', async () => {
    const { driver } = driverWith({ pollMs: NEVER_MS });
    const runId = await waiting('test.signalled', driver);
    await tellWithoutWord(runId);
    const { rows } = await bed.admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE '%-control'`,
    );
    expect(rows.length).toBeGreaterThan(0);
    await bed.reach(runId, 'completed');
  });

  it('looks again at what somebody else holds, and does not spin on it', async () => {
    const runId = await waiting('test.signalled', driverWith({ pollMs: NEVER_MS }).driver);
    const holding = await bed.admin.connect();
    try {
      await holding.query('BEGIN');
      await holding.query('SELECT 1 FROM workflow_runs WHERE run_id = $1 FOR UPDATE', [runId]);
      const held = driverWith({ pollMs: NEVER_MS });
      await signalWorkflow(elsewhere, runId, 'go', {});
      await waitFor(() => held.looks() >= 3);
      expect(held.looks()).toBeLessThan(10);
    } finally {
      await holding.query('COMMIT');
      holding.release();
    }
    await bed.reach(runId, 'completed');
  });
});

describe('a driver that nobody tells anything', () => {
  it('finds a word that was lost by looking', async () => {
    const { driver } = driverWith({ pollMs: 50 });
    const runId = await waiting('test.signalled', driver);
    await tellWithoutWord(runId);
    await bed.reach(runId, 'completed');
  });

  it('rarely looks, unless it could not be told', async () => {
    const hearing = driverWith({});
    const deaf = driverWith({ control: undefined });
    await waitFor(() => deaf.looks() >= 4);
    expect(hearing.looks()).toBeLessThan(deaf.looks());
  });
});

/** What a told workflow is like whose drivers have heard nothing. */
async function tellWithoutWord(runId: string): Promise<void> {
  await bed.admin.query('INSERT INTO workflow_inbox (workflow_run_id, event) VALUES ($1, $2)', [
    runId,
    JSON.stringify({ type: 'signal', name: 'go', data: {} }),
  ]);
}
