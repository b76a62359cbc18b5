/** Every invariant of workflows is broken on purpose and has to say so. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { resultWithoutFaults } from './definition.ts';
import {
  createMarks,
  findWorkflowViolations,
  recordExpected,
  WORKFLOW_INVARIANT_NAMES,
} from './invariants.ts';
import type { WorkflowInvariant } from './invariants.ts';

let database: TestDatabase;
let admin: Pool;
/** A run of `chaos.below`: one step, which has left its mark. */
const workflow = newId();
const step = newId();

beforeAll(async () => {
  database = await createTestDatabase();
  admin = createPool({ connectionString: database.connectionString, role: null });
  // What is planted here, the schema refuses; that it does is shown by its own tests.
  await admin.query(`
    ALTER TABLE runs DISABLE TRIGGER USER; ALTER TABLE runs DROP CONSTRAINT runs_state;
    ALTER TABLE workflow_runs DROP CONSTRAINT workflow_runs_name_version_fkey`);
  await createMarks(admin);
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

/** A run that has completed at epoch 1. */
async function completed(id: string, kind: string, name: string, key: string | null): Promise<void> {
  await admin.query(
    `INSERT INTO runs (id, kind, name, lane, priority, status, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, available_at, attempt, epoch, finished_epoch, started_at, completed_at, result, idempotency_key, spec_hash)
     VALUES ($1, $2, $3, 'l', 2, 'completed', '{}', 'test', '{}', '{}', 1, 0, 1000, false, now(), 1, 1, 1, now(), now(), '{"n": 1}',
       $4, CASE WHEN $4::text IS NOT NULL THEN repeat('a', 64) END)`,
    [id, kind, name, key],
  );
}

async function told(no: number, unit: string, attempt: number): Promise<void> {
  await admin.query(
    `INSERT INTO workflow_history (run_id, event_no, event, timestamp) VALUES ($1, $2, $3, now())`,
    [workflow, no, JSON.stringify({ type: 'step_settled', unit, attempt })],
  );
}

beforeEach(async () => {
  await admin.query(
    'TRUNCATE runs, workflow_runs, workflow_steps, workflow_history, workflow_inbox, chaos.marks, chaos.expected',
  );
  await completed(workflow, 'workflow', 'chaos.below', 'a');
  await completed(step, 'step', 'lambda.chaos.written', null);
  await admin.query(
    `INSERT INTO workflow_runs (run_id, name, version, epoch, status, seq, ended_at) VALUES ($1, 'chaos.below', 1, 1, 'ended', 2, now())`,
    [workflow],
  );
  await admin.query(
    `INSERT INTO workflow_steps (workflow_run_id, unit, attempt, run_id, kind) VALUES ($1, 'double', 1, $2, 'step')`,
    [workflow, step],
  );
  await admin.query(
    `INSERT INTO workflow_history (run_id, event_no, event, timestamp) VALUES ($1, 1, '{"type": "started"}', now())`,
    [workflow],
  );
  await told(2, 'double', 1);
  await admin.query(`INSERT INTO chaos.marks VALUES ($1, 1, 'written')`, [step]);
  await recordExpected(admin, new Map([['a', { n: 1 }]]));
});

async function violated(): Promise<WorkflowInvariant[]> {
  return (await findWorkflowViolations(admin)).map(({ invariant }) => invariant);
}

/** How each is broken, and what is wrong then besides. */
const BREAKERS: Record<WorkflowInvariant, readonly [sql: string, along?: readonly WorkflowInvariant[]]> = {
  'result-as-without-faults': [`UPDATE runs SET result = '{"n": 2}' WHERE kind = 'workflow'`],
  'every-unit-ran': [
    'DELETE FROM workflow_steps; DELETE FROM workflow_history WHERE event_no = 2; UPDATE workflow_runs SET seq = 1',
  ],
  'one-attempt-of-a-unit-settled-it': [
    `UPDATE runs SET status = 'cancelled' WHERE kind = 'step'; DELETE FROM chaos.marks`,
  ],
  'told-of-each-end-once': [
    `UPDATE workflow_history SET event = event || '{"unit": "other"}' WHERE event_no = 2`,
  ],
  'history-has-no-gap': [`UPDATE workflow_history SET event_no = 3 WHERE event_no = 2`],
  'ended-with-its-run': [`UPDATE workflow_runs SET status = 'active', ended_at = NULL`],
  'nothing-left-to-be-told': [
    `INSERT INTO workflow_inbox (workflow_run_id, ended_run_id) SELECT run_id, run_id FROM workflow_runs`,
  ],
  'one-mark-of-the-attempt-that-settled': ['DELETE FROM chaos.marks'],
  'no-mark-of-an-attempt-without-its-run': [
    `INSERT INTO chaos.marks SELECT run_id, 0, 'published' FROM workflow_steps`,
  ],
};

describe('the invariants of workflows', () => {
  it('hold for a workflow that went as planned', async () => {
    expect(await violated()).toEqual([]);
  });

  it.each(WORKFLOW_INVARIANT_NAMES)('find a planted violation: %s', async (name) => {
    const [text, along = []] = BREAKERS[name];
    await admin.query(text);
    expect(await violated()).toEqual(
      WORKFLOW_INVARIANT_NAMES.filter((each) => each === name || along.includes(each)),
    );
  });

  it('find a second mark of one attempt, and one of an attempt that came later', async () => {
    await admin.query(`INSERT INTO chaos.marks VALUES ($1, 1, 'written')`, [step]);
    expect(await violated()).toEqual([
      'one-mark-of-the-attempt-that-settled',
      'no-mark-of-an-attempt-without-its-run',
    ]);
    await admin.query(`UPDATE chaos.marks SET epoch = 2 WHERE ctid = (SELECT max(ctid) FROM chaos.marks)`);
    expect(await violated()).toEqual(['no-mark-of-an-attempt-without-its-run']);
  });

  it('let an attempt that something was killed under come before the one that settled, and no other', async () => {
    const lost = newId();
    await completed(lost, 'step', 'lambda.chaos.written', null);
    await admin.query(`UPDATE workflow_steps SET attempt = 2`);
    await admin.query(
      `INSERT INTO workflow_steps (workflow_run_id, unit, attempt, run_id, kind) VALUES ($1, 'double', 1, $2, 'step')`,
      [workflow, lost],
    );
    await admin.query('UPDATE workflow_runs SET seq = 3');
    await told(3, 'double', 2);
    const violatedWith = async (error: unknown): Promise<WorkflowInvariant[]> => {
      await admin.query(`UPDATE runs SET status = 'failed', error = $2 WHERE id = $1`, [
        lost,
        JSON.stringify(error),
      ]);
      return violated();
    };
    for (const killed of [
      { category: 'UNKNOWN', type: 'Error' },
      { category: 'DATABASE', type: 'DatabaseError' },
      { category: 'INTERNAL', type: 'LeaseExpiredError' },
    ]) {
      expect(await violatedWith({ ...killed, retryable: true }), killed.type).toEqual([]);
    }
    for (const other of [
      { category: 'TIMEOUT', type: 'TimeoutError', retryable: true },
      { category: 'INTERNAL', type: 'InvariantError', retryable: true },
      { category: 'UNKNOWN', type: 'Error', retryable: false },
    ]) {
      expect(await violatedWith(other), other.type).toEqual(['one-attempt-of-a-unit-settled-it']);
    }
  });
});

describe('a run without faults', () => {
  it('answers what its steps come to', async () => {
    // n + 1 and n + 2 joined, and twice n + 1 from below.
    expect(await resultWithoutFaults(10)).toEqual({
      last: 11 + 12 + 2 * 11,
      each: [10, 12, 14, 16, 18].map((sum) => ({ sum })),
    });
  });
});
