/** How Postgres finds payloads, log lines and new events among very many. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  appendRunLogs,
  deletePayload,
  eventsBetween,
  getPayload,
  listPayloads,
  runEventsBetween,
  runFacts,
  runHistory,
  unneededPayloads,
} from '@spine/database';
import type { PayloadKey, Queryable } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf, sentBy } from './plan-support.ts';

const ROWS = 200_000;
const keys = Array.from({ length: 500 }, (): PayloadKey => ({ runId: newId(), slot: 'params' }));
const key = keys[0] ?? { runId: newId(), slot: 'params' };
const line = {
  runId: newId(),
  epoch: 1,
  attempt: 1,
  level: 30,
  message: 'm',
  fields: null,
  timestamp: new Date(),
};

type Statement = readonly [
  name: string,
  table: string,
  index: string,
  send: (db: Queryable) => Promise<unknown>,
];

const BY_KEY: readonly Statement[] = [
  [
    'the events of a run',
    'run_events',
    'run_events_pkey',
    (db) => runEventsBetween(db, newId(), 0, ROWS, 500),
  ],
  ['the end of a run', 'run_events', 'run_events_one_terminal', (db) => runHistory(db, newId())],
  [
    'what runs are',
    'runs',
    'runs_pkey',
    (db) =>
      runFacts(
        db,
        keys.map(({ runId }) => runId),
      ),
  ],
  ['a payload', 'run_payloads', 'run_payloads_pkey', (db) => getPayload(db, key)],
  ['a payload to delete', 'run_payloads', 'run_payloads_pkey', (db) => deletePayload(db, key)],
  ['a page of payloads', 'run_payloads', 'run_payloads_pkey', (db) => listPayloads(db, 1, key, 500)],
  ['payloads nobody needs', 'runs', 'runs_pkey', (db) => unneededPayloads(db, 'pg', keys)],
  ['the runs of log lines', 'runs', 'runs_pkey', (db) => appendRunLogs(db, [line])],
];

/** Of a table nothing is known of, the index of the smallest and largest ids is thought to be of no use. */
const BY_RANGE: readonly Statement[] = [
  ['the newest events', 'run_events', 'run_events_recent', (db) => eventsBetween(db, ROWS - 500, ROWS)],
  ['events of long ago', 'run_events', 'run_events_recent', (db) => eventsBetween(db, 1_000, 3_000)],
  [
    'events that are not there yet',
    'run_events',
    'run_events_recent',
    (db) => eventsBetween(db, ROWS, ROWS + 2_000),
  ],
];

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
  // The statistics are this test's subject: nobody else may refresh them.
  for (const table of ['runs', 'run_events', 'run_payloads', 'run_logs']) {
    await base.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
});
afterAll(() => base.close());

async function fill(): Promise<void> {
  await base.admin.query(`
    INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
      timeout_ms, dead_letter, available_at, status, completed_at)
    SELECT gen_random_uuid(), 'task', 'echo', 'default', 2, '{}', 'api', '{}', '{}', 4, 0, 1000, true, now(), 'completed', now()
    FROM generate_series(1, 60000)`);
  await base.admin.query(
    `INSERT INTO run_events (run_id, epoch, event_type, source)
     SELECT gen_random_uuid(), 0, 'submitted', 'api' FROM generate_series(1, ${ROWS})`,
  );
  await base.admin.query(
    `INSERT INTO run_payloads (run_id, slot, content) SELECT gen_random_uuid(), 'params', '{}' FROM generate_series(1, 60000)`,
  );
  await base.admin.query(
    `INSERT INTO run_logs (run_id, epoch, attempt, level, message, timestamp)
     SELECT gen_random_uuid(), 1, 1, 30, 'm', now() FROM generate_series(1, 60000)`,
  );
}

const TABLES = 'runs, run_events, run_payloads, run_logs';
const analyze = () => base.admin.query(`ANALYZE ${TABLES}`);

/** One after the other on the same rows: filling takes the time of this file. */
const SITUATIONS: readonly (readonly [string, () => Promise<unknown>, readonly Statement[]])[] = [
  ['no statistics at all', fill, BY_KEY],
  ['statistics that know it', analyze, [...BY_KEY, ...BY_RANGE]],
  ['statistics from when there was half as much', fill, [...BY_KEY, ...BY_RANGE]],
  [
    'statistics from when there was nothing',
    async () => {
      await base.admin.query(`TRUNCATE ${TABLES} RESTART IDENTITY`);
      await analyze();
      await fill();
    },
    BY_KEY,
  ],
];

describe.each(SITUATIONS)('with %s', (_, prepare, statements) => {
  beforeAll(async () => {
    await prepare();
  });

  describe.each(['force_custom_plan', 'force_generic_plan'] as const)('and %s', (mode) => {
    it.each(statements)('the index finds %s', async (_name, table, index, send) => {
      const indexes: string[] = [];
      for (const statement of await sentBy(send)) {
        const plan = await planOf(base.pool, mode, statement);
        expect([statement.text, plan.seqScans.filter((scanned) => scanned === table)]).toEqual([
          statement.text,
          [],
        ]);
        indexes.push(...plan.indexes);
      }
      expect(indexes).toContain(index);
    });

    it('the index finds the log of a run', async () => {
      const text = 'SELECT * FROM run_logs WHERE run_id = $1::uuid AND level >= $2 ORDER BY log_id LIMIT $3';
      const plan = await planOf(base.pool, mode, { text, values: [newId(), 30, 51] });
      expect(plan).toMatchObject({ seqScans: [], indexes: ['run_logs_pkey'] });
    });
  });
});

describe('the index of recent events', () => {
  it('leads to a few pages for what is new, however long the history', async () => {
    await base.admin.query(`SELECT brin_summarize_new_values('run_events_recent')`);
    const { rows } = await base.admin.query<{ 'QUERY PLAN': [{ Plan: Readonly<Record<string, number>> }] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
       SELECT * FROM run_events WHERE event_id > ${ROWS - 500} AND event_id <= ${ROWS} ORDER BY event_id`,
    );
    const plan = rows[0]?.['QUERY PLAN'][0].Plan ?? {};
    const { rows: size } = await base.admin.query<{ pages: number }>(
      `SELECT (pg_relation_size('run_events') / 8192)::int AS pages`,
    );
    expect(plan['Actual Rows']).toBe(500);
    const pages = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    expect(pages).toBeLessThan((size[0]?.pages ?? 0) / 10);
  });
});
