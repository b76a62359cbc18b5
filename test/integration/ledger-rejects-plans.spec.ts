/** How Postgres finds rows of manifest, rejects, quality results and anomalies among very many. */
import type { Compilable } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  anomalyPageQuery,
  manifestPageQuery,
  openCountQuery,
  openCriticalQuery,
  openRejectQuery,
  openStagesQuery,
  qualityPageQuery,
  reasonCountQuery,
  rejectPageQuery,
} from '@spine/database';
import type { Db } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf } from './plan-support.ts';

const ROWS = 10_000;

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
  // What is rare in one domain is common in another, and the other way round: each index has something to find.
  await base.admin.query(`
    INSERT INTO rejects (domain, partition_key, stage, reason_code, reason_detail, raw, source_locator, line_number,
      record_hash, run_id)
    SELECT CASE WHEN n % 500 = 0 THEN 'rare' || n % 7 ELSE 'large' END, '{"no":' || n % 100 || '}',
      CASE WHEN n % 2000 = 0 THEN 'RARE' ELSE 'INGESTED' END, CASE WHEN n % 2000 = 1 THEN 'RARE' ELSE 'BAD' END,
      'd', 'r', 'l', n, n::text, gen_random_uuid()
    FROM generate_series(1, ${ROWS}) n;
    INSERT INTO reject_repairs (reject_id, run_id, outcome, rule_version)
    SELECT reject_id, gen_random_uuid(), 'repaired', 'v' FROM rejects WHERE reject_id % 4 <> 0;
    INSERT INTO quality_results (id, domain, partition_key, check_name, category, status, message, run_id)
    SELECT gen_random_uuid(), CASE WHEN n % 500 = 0 THEN 'rare' WHEN n % 2 = 0 THEN 'large' ELSE 'bad' END,
      '{"no":' || n % 100 || '}', 'check_' || n % 50, 'INTEGRITY',
      CASE WHEN n % 2000 = 2 OR n % 20 = 1 THEN 'FAIL' ELSE 'PASS' END, 'm', gen_random_uuid()
    FROM generate_series(1, ${ROWS}) n;
    INSERT INTO anomalies (id, domain, partition_key, severity, category, message, run_id, resolved_at, resolved_by)
    SELECT gen_random_uuid(), CASE WHEN n % 500 = 0 THEN 'rare' WHEN n % 2 = 0 THEN 'large' ELSE 'bad' END,
      '{"no":' || n % 100 || '}', CASE WHEN n % 2000 = 2 OR n % 20 = 1 THEN 'CRITICAL' ELSE 'WARN' END,
      CASE WHEN n % 2000 = 2 OR n % 20 = 1 THEN 'TIMEOUT' ELSE 'UNKNOWN' END, 'm', gen_random_uuid(),
      CASE WHEN n % 100 = 0 THEN NULL ELSE now() END, CASE WHEN n % 100 = 0 THEN NULL ELSE 'a' END
    FROM generate_series(1, ${ROWS}) n;
    INSERT INTO manifest (domain, partition_key, stage, stage_rank, run_id)
    SELECT CASE WHEN n % 500 = 0 THEN 'rare' ELSE 'large' END, '{"no":' || n / 3 || '}', 'STAGE_' || n % 3, n % 3,
      gen_random_uuid()
    FROM generate_series(1, ${ROWS}) n;
    ANALYZE rejects, reject_repairs, quality_results, anomalies, manifest`);
});
afterAll(() => base.close());

const page = { limit: 50 };
const after = { after: '1', upTo: String(ROWS), limit: 500 };
const partitionKey = { no: 7 };
const runId = newId();
/** Greater than every id. */
const before = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Every list and lookup, with an index that has to be used; no table may be read as a whole. */
const QUERIES: readonly (readonly [
  name: string,
  index: string,
  query: (db: Db) => Compilable | { compile(db: Db): ReturnType<Compilable['compile']> },
])[] = [
  ['rejects', 'rejects_pkey', (db) => rejectPageQuery(db, {}, { ...page, before: String(ROWS / 2) })],
  ['rejects of a rare domain', 'rejects_domain', (db) => rejectPageQuery(db, { domain: 'rare1' }, page)],
  [
    'rejects of a rare stage',
    'rejects_stage',
    (db) => rejectPageQuery(db, { domain: 'rare0', stage: 'RARE' }, page),
  ],
  [
    'rejects of a rare reason',
    'rejects_reason',
    (db) => rejectPageQuery(db, { domain: 'large', reasonCode: 'RARE' }, page),
  ],
  [
    'rejects of a partition',
    'rejects_partition',
    (db) => rejectPageQuery(db, { domain: 'large', partitionKey }, page),
  ],
  ['rejects of a run', 'rejects_run', (db) => rejectPageQuery(db, { runId }, page)],
  [
    'open rejects',
    'rejects_open_stage',
    (db) => rejectPageQuery(db, { domain: 'large', stage: 'INGESTED', open: true }, page),
  ],
  [
    'open rejects of a rare reason',
    'rejects_open_reason',
    (db) => rejectPageQuery(db, { domain: 'large', reasonCode: 'RARE', open: true }, page),
  ],
  [
    'a page of a replay',
    'rejects_open_stage',
    (db) => openRejectQuery(db, { domain: 'large', stage: 'INGESTED' }, runId, after),
  ],
  ['what a replay would judge', 'rejects_open_stage', (db) => openCountQuery(db, { domain: 'large' })],
  ['stages with open rejects', 'rejects_open_stage', () => openStagesQuery('large')],
  ['the summary of rejects', 'rejects_reason', () => reasonCountQuery('large')],
  ['the summary of open rejects', 'rejects_open_reason', () => reasonCountQuery('large')],
  ['quality results', 'quality_results_pkey', (db) => qualityPageQuery(db, {}, { ...page, before })],
  [
    'results of a rare domain',
    'quality_results_domain',
    (db) => qualityPageQuery(db, { domain: 'rare' }, page),
  ],
  [
    'results of a partition',
    'quality_results_partition',
    (db) => qualityPageQuery(db, { domain: 'large', partitionKey }, page),
  ],
  [
    'results of a check',
    'quality_results_by_check',
    (db) => qualityPageQuery(db, { domain: 'large', checkName: 'check_7' }, page),
  ],
  [
    'failed results of a domain',
    'quality_results_by_status',
    (db) => qualityPageQuery(db, { domain: 'large', status: 'FAIL' }, page),
  ],
  ['failed results', 'quality_results_by_status', (db) => qualityPageQuery(db, { status: 'FAIL' }, page)],
  ['results of a run', 'quality_results_run', (db) => qualityPageQuery(db, { runId }, page)],
  ['anomalies', 'anomalies_pkey', (db) => anomalyPageQuery(db, {}, { ...page, before })],
  ['anomalies of a rare domain', 'anomalies_domain', (db) => anomalyPageQuery(db, { domain: 'rare' }, page)],
  [
    'anomalies of a partition',
    'anomalies_partition',
    (db) => anomalyPageQuery(db, { domain: 'large', partitionKey }, page),
  ],
  [
    'critical ones of a domain',
    'anomalies_by_severity',
    (db) => anomalyPageQuery(db, { domain: 'large', severity: 'CRITICAL' }, page),
  ],
  ['critical ones', 'anomalies_by_severity', (db) => anomalyPageQuery(db, { severity: 'CRITICAL' }, page)],
  [
    'a rare category of a domain',
    'anomalies_by_category',
    (db) => anomalyPageQuery(db, { domain: 'large', category: 'TIMEOUT' }, page),
  ],
  ['a rare category', 'anomalies_by_category', (db) => anomalyPageQuery(db, { category: 'TIMEOUT' }, page)],
  ['anomalies of a run', 'anomalies_run', (db) => anomalyPageQuery(db, { runId }, page)],
  ['unresolved anomalies', 'anomalies_open', (db) => anomalyPageQuery(db, { resolved: false }, page)],
  [
    'unresolved anomalies of a domain',
    'anomalies_open_domain',
    (db) => anomalyPageQuery(db, { domain: 'rare', resolved: false }, page),
  ],
  [
    'an open critical anomaly',
    'anomalies_open_critical',
    (db) => openCriticalQuery(db, 'large', partitionKey),
  ],
  [
    'the manifest',
    'manifest_pkey',
    (db) =>
      manifestPageQuery(
        db,
        {},
        { ...page, after: { domain: 'large', partitionKey: '{"no":5}', stage: 'STAGE_1' } },
      ),
  ],
  [
    'a stage of a domain',
    'manifest_stage',
    (db) => manifestPageQuery(db, { domain: 'large', stage: 'STAGE_1' }, page),
  ],
  ['a partition', 'manifest_pkey', (db) => manifestPageQuery(db, { domain: 'large', partitionKey }, page)],
];

describe('the index', () => {
  it.each(QUERIES)('finds %s', async (_name, index, query) => {
    const { sql, parameters } = query(base.db).compile(base.db);
    // As the services send it: planned for the values at hand.
    const plan = await planOf(base.pool, 'force_custom_plan', { text: sql, values: parameters });
    expect(plan.seqScans).toEqual([]);
    expect(plan.indexes).toContain(index);
  });
});
