/** How Postgres finds the runs of a workflow among many, who is at its gates, and how it stands with a partition. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  lockAdmission,
  listWorkflowRuns,
  partitionState,
  waitForRoom,
  workflowQuality,
  workflowRunWindow,
} from '@spine/database';
import type { Db } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

const LARGE = [
  'runs',
  'workflow_runs',
  'workflow_state',
  'workflow_inbox',
  'concurrency_holds',
  'gate_waiters',
  'manifest',
];
const PAGE = { limit: 50, offset: 0 };
const RUN = newId();
const gate = (key: string) => ({ type: 'concurrency', key, limit: 2, from: 'handler' }) as const;

const READS: readonly (readonly [
  name: string,
  indexes: readonly string[],
  ask: (db: Db) => Promise<unknown>,
])[] = [
  ['runs', ['runs_workflow'], (db) => listWorkflowRuns(db, 'w 1', {}, PAGE)],
  [
    'runs of a rare status',
    ['runs_workflow'],
    (db) => listWorkflowRuns(db, 'w 1', { status: ['paused'] }, PAGE),
  ],
  [
    'runs after a page',
    ['runs_workflow'],
    (db) => listWorkflowRuns(db, 'w 1', { since: new Date(0) }, { ...PAGE, beforeRunId: newId() }),
  ],
  [
    'runs of a partition',
    ['runs_workflow_partition'],
    (db) => listWorkflowRuns(db, 'w 1', { partition: { day: 7 } }, PAGE),
  ],
  [
    'runs of a version',
    ['workflow_runs_version', 'runs_pkey'],
    (db) => listWorkflowRuns(db, 'w 1', { version: 1 }, PAGE),
  ],
  [
    'statistics',
    ['runs_workflow', 'workflow_runs_pkey'],
    (db) => workflowRunWindow(db, ['w 1', 'w 2'], { days: 30, limit: 100 }),
  ],
  [
    'what steps have said about their data',
    ['runs_workflow', 'workflow_state_pkey'],
    (db) => workflowQuality(db, 'w 2', { days: 30 }),
  ],
  [
    'a partition',
    ['workflow_runs_partition', 'runs_pkey'],
    (db) => partitionState(db, 'w 1', '{"day":7}', RUN),
  ],
  [
    'who is at the gates',
    [
      'concurrency_holds_pkey',
      'gate_waiters_line',
      'gate_waiters_woken',
      'workflow_runs_pkey',
      'workflow_inbox_of',
    ],
    (db) => db.transaction().execute((trx) => lockAdmission(trx, RUN, [gate('k 1'), gate('k 2')], ['k 2'])),
  ],
  [
    'a run that waits',
    ['runs_pkey', 'workflow_runs_pkey', 'runs_singleton_waiting'],
    (db) =>
      db
        .transaction()
        .execute((trx) =>
          waitForRoom(
            trx,
            RUN,
            1,
            { reason: 'full', gate: gate('k 1'), gates: [], delayMs: 0, until: null },
            'test',
          ),
        ),
  ],
];

let base: EngineDatabase;
let watched: WatchedDb;
beforeAll(async () => {
  base = await openEngineDatabase();
  for (const table of LARGE) await base.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  watched = watchedDb(base.connectionString);
  await base.admin.query(`ALTER TABLE runs DISABLE TRIGGER USER`);
  await base.admin.query(
    `INSERT INTO workflow_definitions (name, version, hash, definition, created_by)
     SELECT 'w ' || n, 1, repeat('0', 64), '{}', 'test' FROM generate_series(0, 9) n`,
  );
  await base.admin.query(
    `INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, available_at, status, completed_at)
     SELECT gen_random_uuid(), CASE WHEN n % 2 = 0 THEN 'workflow' ELSE 'step' END, 'w ' || n % 10, 'default', 2, '{}', 'api',
       CASE WHEN n % 3 = 0 THEN jsonb_build_object('workflow_partition', jsonb_build_object('day', n % 100)) ELSE '{}' END,
       '{}', 4, 0, 1000, false, now(), 'completed', now() FROM generate_series(1, 12000) n;
     INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, available_at, status, dispatch_after)
     SELECT '${RUN}', 'workflow', 'w 1', 'default', 2, '{}', 'api', '{}', '{}', 4, 0, 1000, false, now(), 'queued', now();
     INSERT INTO workflow_runs (run_id, name, version, epoch, status, ended_at, partition_key)
     SELECT id, name, 1, 2, 'ended', now(), metadata ->> 'workflow_partition' FROM runs WHERE kind = 'workflow' AND id <> '${RUN}';
     INSERT INTO workflow_state (run_id, part, key, value)
     SELECT run_id, 'step', 's ' || n, '{"status": "completed"}' FROM workflow_runs, generate_series(1, 3) n;
     INSERT INTO workflow_inbox (workflow_run_id, event, due_at) SELECT run_id, '{}', now() FROM workflow_runs;
     INSERT INTO concurrency_holds (key, run_id, epoch) SELECT 'k ' || row_number() OVER () % 5000, id, 1 FROM runs LIMIT 10000;
     INSERT INTO gate_waiters (run_id, gate_type, key, priority) SELECT id, 'concurrency', 'k 1', 2 FROM runs LIMIT 10000;
     INSERT INTO manifest (domain, partition_key, stage, stage_rank, run_id)
     SELECT 'workflow.w ' || n % 10, '{"day":' || n || '}', 'COMPLETED', 0, gen_random_uuid() FROM generate_series(1, 10000) n`,
  );
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

describe.each([
  ['no statistics', () => Promise.resolve()],
  ['statistics that are up to date', async () => void (await base.admin.query('VACUUM ANALYZE'))],
])('with %s', (_, prepare) => {
  beforeAll(prepare);

  it.each(READS)('%s: found by %s', async (_name, indexes, ask) => {
    const { seqScans, indexes: used } = await watched.planOf(ask);
    expect(seqScans.filter((table) => LARGE.includes(table))).toEqual([]);
    expect([...used]).toEqual(expect.arrayContaining([...indexes]));
  });
});
