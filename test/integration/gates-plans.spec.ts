/**
 * How Postgres executes the statements about gates, with as many runs, holds and waiters as a large installation has, and
 * with statistics from when there were none.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  afterGateLocks,
  breakerLines,
  claimAtVersions,
  claimGated,
  createPool,
  explainedRun,
  gatesWithLines,
  lastHoldUp,
  lineDetails,
  lineHeads,
  listBreakers,
  listGates,
  loadGateFacts,
  lockCandidates,
  overdueGated,
  sweepGateStates,
  sweepHolds,
  sweepWaiters,
  takeStoredRate,
  WAKE_SQL,
} from '@spine/database';
import type { GateKey, Pool, Queryable } from '@spine/database';
import { HANDLERS, openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedPool } from './gates-support.ts';
import { planOf, sentBy } from './plan-support.ts';
import type { Sent } from './plan-support.ts';

const ids = Array.from({ length: 256 }, newId);
const KEYS: readonly GateKey[] = [
  { type: 'concurrency', key: 'k 1' },
  { type: 'rate', key: 'k 1' },
  { type: 'singleton', key: 's 1' },
  { type: 'breaker', key: 'edgar' },
];
const ME = { workerId: newId(), leaseMs: 1_000, handlers: HANDLERS, lanes: ['default'], withParams: [] };
const SUCCESSORS = ids.map((runId) => ({ runId, gates: '[]', keys: ['k 1', 'k 2'] }));
const VERSIONS = ['k 1', 'k 2'].map((key) => ({ key, version: '1', limit: 5 }));
const RUN = { runId: newId(), priority: 2 };

/** Every read and write of the tables of gates, with an index it must use; none may read a large table as a whole. */
const STATEMENTS: readonly (readonly [
  name: string,
  index: string,
  send: (db: Queryable) => Promise<unknown>,
])[] = [
  ['facts', 'concurrency_holds_pkey', (db) => loadGateFacts(db, KEYS)],
  ['facts of singletons', 'runs_singleton_active', (db) => loadGateFacts(db, KEYS)],
  ['facts of kept places', 'gate_waiters_woken', (db) => loadGateFacts(db, KEYS)],
  ['locks of candidates', 'runs_pkey', (db) => lockCandidates(db, ids, HANDLERS)],
  ['barrier', 'gate_states_pkey', (db) => afterGateLocks(db, KEYS)],
  [
    'wake',
    'gate_waiters_line',
    (db) => db.query({ text: WAKE_SQL, values: ['{concurrency,rate}', '{"k 1","k 2"}', '{3,5}'] }),
  ],
  ['heads of lines', 'gate_waiters_line', (db) => lineHeads(db, ['k 1', 'k 2'], ME)],
  ['claim of successors', 'runs_pkey', (db) => claimAtVersions(db, SUCCESSORS, VERSIONS, ME)],
  ['lines', 'gate_waiters_line', (db) => gatesWithLines(db, null, 100)],
  ['poll', 'runs_gated', (db) => overdueGated(db, ['default'], HANDLERS, [], 100)],
  [
    'poll with handlers',
    'runs_dispatch',
    (db) => overdueGated(db, ['default'], HANDLERS, ['task:echo'], 100),
  ],
  ['sweep of holds', 'concurrency_holds_pkey', (db) => sweepHolds(db, null, 1_000)],
  ['sweep of waiters', 'gate_waiters_pkey', (db) => sweepWaiters(db, null, 1_000)],
  ['sweep of states', 'gate_states_pkey', (db) => sweepGateStates(db, null, 1_000)],
  ['explained run', 'runs_pkey', (db) => explainedRun(db, RUN.runId)],
  ['last hold-up', 'run_events_pkey', (db) => lastHoldUp(db, RUN.runId)],
  ['line details', 'gate_waiters_line', (db) => lineDetails(db, KEYS, RUN)],
  ['list of keys', 'gate_states_pkey', (db) => listGates(db, { after: null, limit: 50 })],
  ['list of breakers', 'breakers_pkey', (db) => listBreakers(db, { after: '', limit: 50 })],
  ['lines of breakers', 'gate_waiters_line', (db) => breakerLines(db, ['edgar'])],
];

/** Tables that grow with use. */
const LARGE = ['runs', 'run_events', 'gate_states', 'concurrency_holds', 'gate_waiters', 'breakers'];

async function largeScans(statement: Sent): Promise<{ seqScans: string[]; indexes: readonly string[] }> {
  const { seqScans, indexes } = await planOf(planner, 'force_generic_plan', statement);
  return { seqScans: seqScans.filter((table) => LARGE.includes(table)), indexes };
}

let base: EngineDatabase;
/** Its own connection: what is asked here forgets all prepared statements. */
let planner: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  planner = createPool({ connectionString: base.connectionString, genericPlans: true, max: 1 });
  // The statistics are this test's subject: nobody else may refresh them.
  for (const table of LARGE) await base.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
});
afterAll(async () => {
  await planner.end();
  await base.close();
});

async function fill(): Promise<void> {
  await base.admin.query(
    `INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, available_at, status, dispatch_after, gates)
     SELECT gen_random_uuid(), 'task', 'echo', 'default', 2, '{}', 'api', '{}', '{}', 4, 0, 1000, true, now(), 'queued',
       now() - random() * interval '1 hour', CASE WHEN n % 3 = 0 THEN '[]'::jsonb END FROM generate_series(1, 40000) n`,
  );
  await base.admin.query(
    `INSERT INTO run_events (run_id, epoch, event_type, source) SELECT id, 0, 'submitted', 'api' FROM runs;
     INSERT INTO gate_states (gate_type, key, gate_limit) SELECT 'concurrency', 'k ' || n, 5 FROM generate_series(1, 20000) n;
     INSERT INTO gate_states (gate_type, key) SELECT 'rate', 'k ' || n FROM generate_series(1, 20000) n;
     INSERT INTO concurrency_holds (key, run_id, epoch) SELECT 'k ' || n % 20000, gen_random_uuid(), 1 FROM generate_series(1, 40000) n;
     INSERT INTO gate_waiters (run_id, gate_type, key, priority) SELECT id, 'concurrency', 'k 1', 2 FROM runs LIMIT 20000;
     INSERT INTO breakers (name, state, open_until, changed_by) SELECT 'b' || n, 'open', now(), 'w' FROM generate_series(1, 5000) n`,
  );
}

const SITUATIONS: readonly (readonly [string, () => Promise<void>])[] = [
  ['no statistics at all', fill],
  [
    'statistics from when there was nothing',
    async () => {
      await base.admin.query('ANALYZE');
      await fill();
    },
  ],
  [
    'statistics that know it',
    async () => {
      await fill();
      await base.admin.query('ANALYZE');
    },
  ],
];

describe.each(SITUATIONS)('with %s', (_, prepare) => {
  beforeAll(async () => {
    await base.clear();
    await prepare();
  });

  it.each(STATEMENTS)('the %s finds its rows by %s', async (_name, index, send) => {
    const used = new Set<string>();
    for (const statement of await sentBy(send)) {
      const plan = await largeScans(statement);
      expect([statement.text, plan.seqScans]).toEqual([statement.text, []]);
      for (const each of plan.indexes) used.add(each);
    }
    expect([...used]).toContain(index);
  });

  it('a claim with gates reads no table as a whole, in any of its statements', async () => {
    const { rows } = await base.admin.query<{ id: string }>(
      'SELECT id FROM runs WHERE gates IS NOT NULL LIMIT 256',
    );
    const texts: string[] = [];
    const pool = watchedPool(base.pool, (text) => void texts.push(text));
    const rate = { algorithm: 'token_bucket', limit: 5, perMs: 1_000, burst: 5 } as const;
    const { claimed, refused } = await claimGated(
      pool,
      rows.map(({ id }) => id),
      {
        workerId: newId(),
        leaseMs: 1_000,
        handlers: HANDLERS,
        withParams: [],
        gatesOf: ({ runId }) => [
          { type: 'concurrency', key: `k ${Number.parseInt(runId.slice(0, 2), 16)}`, limit: 1, from: 'spec' },
          { type: 'rate', key: 'r', rate, from: 'spec' },
          { type: 'breaker', key: 'none', from: 'spec' },
        ],
      },
    );
    expect([claimed.length, claimed.length + refused.length]).toEqual([5, rows.length]);
    await takeStoredRate(pool, 'r', rate, 1);
    const statements = new Set(texts.filter((text) => /^(WITH|SELECT|INSERT|UPDATE|DELETE)/.test(text)));
    expect(statements.size).toBeGreaterThanOrEqual(7);
    for (const text of statements) {
      const numbers = [...text.matchAll(/\$(\d+)/g)].map((match) => Number(match[1]));
      const values = Array.from({ length: Math.max(0, ...numbers) }, () => null);
      expect([text, (await largeScans({ text, values })).seqScans]).toEqual([text, []]);
    }
  });
});
