/** How Postgres finds the rows of watermarks, backfills, work items and readiness when there are many. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  activeBackfills,
  claimWorkItems,
  findGaps,
  getWatermark,
  listBackfillPartitions,
  listBackfills,
  listReadiness,
  listWatermarks,
  listWorkItems,
  openPartitions,
  pendingPartitions,
  readinessFacts,
  recheckReadiness,
} from '@spine/database';
import type { Db } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

const MANY = 8_000;
const plan = newId();
const keys = Array.from({ length: 50 }, (_, n) => ({ n }));

let base: EngineDatabase;
let watched: WatchedDb;
beforeAll(async () => {
  base = await openEngineDatabase();
  const { admin } = base;
  await admin.query(`INSERT INTO watermarks (domain, source, partition_key, kind, high_water)
    SELECT 'd' || n % 50, 's', '{"n":' || n || '}', 'integer', n::text FROM generate_series(1, ${MANY}) n`);
  await admin.query(`INSERT INTO manifest (domain, partition_key, stage, stage_rank, run_id)
    SELECT 'd' || n % 50, '{"n":' || n || '}', 'INGESTED', 1, gen_random_uuid() FROM generate_series(1, ${MANY}) n`);
  await admin.query(
    `INSERT INTO backfills (id, domain, source, reason, status, started_at, run_kind, run_name, params, lane, priority,
       concurrency, max_attempts, total, created_by)
     VALUES ($1, 'd1', 's', 'GAP', 'RUNNING', now(), 'task', 'echo', '{}', 'backfill', 3, 2, 2, ${MANY}, 'test')`,
    [plan],
  );
  await admin.query(`INSERT INTO backfills (id, domain, source, reason, status, completed_at, run_kind, run_name, params,
      lane, priority, concurrency, max_attempts, total, created_by)
    SELECT gen_random_uuid(), 'd' || n % 50, 's', 'GAP', 'CANCELLED', now(), 'task', 'echo', '{}', 'backfill', 3, 2, 2, 1,
      'test' FROM generate_series(1, 3000) n`);
  await admin.query(
    `INSERT INTO backfill_partitions (backfill_id, ordinal, partition_key, status, attempts, run_id)
     SELECT $1, n, '{"n":' || n || '}', CASE WHEN n < 6000 THEN 'DONE' WHEN n < 6010 THEN 'RUNNING' ELSE 'PENDING' END,
       1, gen_random_uuid() FROM generate_series(0, ${MANY - 1}) n`,
    [plan],
  );
  await admin.query(`INSERT INTO work_items (id, domain, workflow, partition_key, desired_at)
    SELECT gen_random_uuid(), 'd' || n % 5, 'w', '{"n":' || n || '}', now() + n * interval '1 minute'
    FROM generate_series(1, ${MANY}) n`);
  await admin.query(`INSERT INTO data_readiness (domain, partition_key, ready_for, workflow, is_ready,
      all_partitions_present, all_stages_complete, no_critical_anomalies, dependencies_current, age_exceeds_preliminary,
      blocking_reasons, certified_by, certified_at)
    SELECT 'd' || n % 50, '{"n":' || n || '}', 'use', 'w', true, true, true, true, true, true, '[]', 'test', now()
    FROM generate_series(1, ${MANY}) n`);
  await admin.query(`INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts,
      retry_delay_ms, timeout_ms, dead_letter, available_at, status, completed_at)
    SELECT gen_random_uuid(), 'task', 'echo', 'default', 2, '{}', 'api', '{}', '{}', 4, 0, 1000, true, now(), 'completed',
      now() FROM generate_series(1, ${MANY})`);
  await admin.query(`INSERT INTO anomalies (id, domain, severity, category, message, resolved_at, resolved_by)
    SELECT gen_random_uuid(), 'd' || n % 50, 'CRITICAL', 'UNKNOWN', 'm', now(), 'me' FROM generate_series(1, 3000) n`);
  await admin.query('ANALYZE');
  watched = watchedDb(base.connectionString);
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

/** Every read that may meet a million rows, with the index it has to find them by. */
const READS: readonly (readonly [name: string, index: string, ask: (db: Db) => Promise<unknown>])[] = [
  ['a watermark', 'watermarks_pkey', (db) => getWatermark(db, 'd1', 's', { n: 1 })],
  [
    'a page of watermarks',
    'watermarks_pkey',
    (db) =>
      listWatermarks(
        db,
        { domain: 'd1' },
        { limit: 50, after: { domain: 'd1', source: 's', partitionKey: '{"n":5' } },
      ),
  ],
  [
    'gaps of a source',
    'watermarks_pkey',
    (db) => findGaps(db, 'd1', keys, { type: 'watermark', source: 's' }),
  ],
  [
    'gaps of a stage',
    'manifest_stage',
    (db) => findGaps(db, 'd1', keys, { type: 'manifest', stage: 'INGESTED' }),
  ],
  ['plans with something to do', 'backfill_partitions_open', (db) => activeBackfills(db)],
  ['runs of open partitions', 'runs_pkey', (db) => openPartitions(db, plan)],
  ['the next partitions', 'backfill_partitions_by_status', (db) => pendingPartitions(db, plan, 10)],
  [
    'a page of partitions',
    'backfill_partitions_pkey',
    (db) => listBackfillPartitions(db, plan, { limit: 50, after: 5_000 }),
  ],
  ['a page of backfills', 'backfills_of_domain', (db) => listBackfills(db, { domain: 'd1' }, { limit: 20 })],
  [
    'a page of work items',
    'work_items_of_domain',
    (db) => listWorkItems(db, { domain: 'd1' }, { limit: 20, before: newId() }),
  ],
  [
    'work that is due',
    'work_items_due',
    (db) => claimWorkItems(db, { domain: 'd1', workflow: 'w', lockedBy: 'me', limit: 10 }),
  ],
  [
    'verdicts to look at again',
    'data_readiness_recheck',
    (db) => recheckReadiness(db, { olderThanMs: 1, limit: 1 }),
  ],
  ['a page of verdicts', 'data_readiness_pkey', (db) => listReadiness(db, { domain: 'd1' }, { limit: 20 })],
  ['the facts of a verdict', 'manifest_pkey', (db) => readinessFacts(db, 'd1', 'w', { n: 1 })],
];

describe('with many rows', () => {
  it.each(READS)('%s are found by %s', async (_name, index, ask) => {
    const { seqScans, indexes } = await watched.planOf(ask);
    // Small by nature: schedules and dependencies are registered by code.
    const small = ['expected_schedules', 'calc_dependencies'];
    expect(seqScans.filter((table) => !small.includes(table))).toEqual([]);
    expect(indexes).toContain(index);
  });
});
