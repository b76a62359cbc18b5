/**
 * How Postgres executes the statements of the hot path. A plan that reads the table, or walks the index of all waiting
 * runs to find a few by id, is right and a hundred times slower; statistics that are out of date bring it about.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  appendAttemptEvents,
  attemptIsCurrent,
  CANCEL_CHILDREN_SQL,
  CANCEL_SQL,
  claimRuns,
  exchangeRuns,
  expireRuns,
  finishedRuns,
  heartbeat,
  insertRuns,
  knownRuns,
  markUnhinted,
  overdueRuns,
  pauseRun,
  reapRuns,
  resumeRun,
  runsHeldBy,
  settleOutcomes,
  settleRuns,
  takeDueForHint,
} from '@spine/database';
import type { Queryable } from '@spine/database';
import { ERROR, HANDLERS, openEngineDatabase, runOf } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf, sentBy } from './plan-support.ts';

const ids = Array.from({ length: 256 }, newId);
const runs = ids.map((runId) => ({ runId, epoch: 1 }));
const options = { workerId: newId(), leaseMs: 30_000, handlers: HANDLERS };
const HANDED_BACK = { type: 'handed_back', reason: 'r' } as const;
const child = runOf({ parentRunId: newId(), idempotencyKey: 'k' }, { parentEpoch: 1 });

/** Every statement of the hot path, as it is sent, with the index it has to find its rows by. */
const STATEMENTS: readonly (readonly [
  name: string,
  index: string,
  send: (db: Queryable) => Promise<unknown>,
])[] = [
  ['claim of one', 'runs_pkey', (db) => claimRuns(db, ids.slice(0, 1), options)],
  ['claim of 256', 'runs_pkey', (db) => claimRuns(db, ids, options)],
  ['what is held', 'runs_pkey', (db) => runsHeldBy(db, ids, newId())],
  [
    'settle of one',
    'runs_pkey',
    (db) => settleRuns(db, [{ ...run(0), settlement: { type: 'completed', result: null } }], { source: 's' }),
  ],
  [
    'settle of 256',
    'runs_pkey',
    (db) =>
      settleRuns(
        db,
        runs.map((each) => ({ ...each, settlement: { type: 'retry', error: ERROR, delayMs: 1 } })),
        { source: 's' },
      ),
  ],
  [
    'what was settled before',
    'run_events_pkey',
    (db) =>
      settleOutcomes(
        db,
        runs.map((each) => ({ ...each, settlement: HANDED_BACK })),
        new Set(ids),
        { source: 's' },
      ),
  ],
  [
    'exchange',
    'runs_pkey',
    (db) =>
      exchangeRuns(
        db,
        runs.map((each) => ({ ...each, settlement: { type: 'completed', result: null } })),
        ids,
        { ...options, source: 's' },
      ),
  ],
  [
    'heartbeat',
    'runs_pkey',
    (db) => heartbeat(db, { workerId: newId(), leaseMs: 1, status: 'active', held: runs }),
  ],
  [
    'attempt events',
    'runs_pkey',
    (db) =>
      appendAttemptEvents(
        db,
        runs.map((each) => ({ ...each, eventType: 'e', data: '{}' })),
        's',
      ),
  ],
  ['attempt is current', 'runs_pkey', (db) => attemptIsCurrent(db, newId(), 1)],
  ['cancel', 'runs_pkey', (db) => db.query({ text: CANCEL_SQL, values: [[newId()], null, 's'] })],
  [
    'cancel of children',
    'runs_parent',
    (db) => db.query({ text: CANCEL_CHILDREN_SQL, values: [[newId()], null, 's'] }),
  ],
  ['pause', 'runs_pkey', (db) => pauseRun(db, newId(), null, 's')],
  ['resume', 'runs_pkey', (db) => resumeRun(db, newId(), 's')],
  ['expire', 'runs_expiry', (db) => expireRuns(db)],
  ['mark unhinted', 'runs_pkey', (db) => markUnhinted(db, ids)],
  [
    'insert of a child with a key',
    'runs_pkey',
    (db) => insertRuns(db, [child], { ambiguous: false, hinted: true }),
  ],
  ['which have ended', 'runs_pkey', (db) => finishedRuns(db, ids)],
  ['which are known', 'runs_pkey', (db) => knownRuns(db, ids)],
  ['poll', 'runs_dispatch', (db) => overdueRuns(db, ['default'], options.handlers, 200)],
  ['relay', 'runs_dispatch', (db) => takeDueForHint(db, 500)],
  ['reap', 'runs_overdue', (db) => reapRuns(db, 500)],
];

function run(index: number): { runId: string; epoch: number } {
  return { runId: ids[index] ?? '', epoch: 1 };
}

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
  // The statistics are this test's subject: nobody else may refresh them.
  for (const table of ['runs', 'run_events'])
    await base.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
});
afterAll(() => base.close());

async function addRuns(count: number, columns: string, values: string): Promise<void> {
  await base.admin.query(
    `INSERT INTO runs (id, kind, name, lane, priority, params, trigger_source, metadata, tags, max_attempts, retry_delay_ms,
       timeout_ms, dead_letter, available_at, ${columns})
     SELECT gen_random_uuid(), 'task', 'echo', 'default', 2, '{}', 'api', '{}', '{}', 4, 0, 1000, true, now(), ${values}
     FROM generate_series(1, ${count})`,
  );
}
const addCompleted = (count: number) => addRuns(count, 'status, completed_at', `'completed', now()`);
const addQueued = (count: number) =>
  addRuns(count, 'status, dispatch_after', `'queued', now() - random() * interval '1 hour'`);
const addRunning = (count: number) =>
  addRuns(
    count,
    'status, epoch, attempt, lease_owner, lease_expires_at, deadline_at',
    `'running', 1, 1, gen_random_uuid(), now() - random() * interval '1 hour', now()`,
  );
const analyze = async () => void (await base.admin.query('ANALYZE runs'));

/** What a table holds, and what the statistics say of it. Only the first finds none: they survive a TRUNCATE. */
const SITUATIONS: readonly (readonly [string, () => Promise<void>])[] = [
  [
    '60,000 queued, no statistics at all',
    async () => {
      await addQueued(60_000);
      await addRunning(1_000);
    },
  ],
  [
    '60,000 queued, statistics from when nothing was',
    async () => {
      await addCompleted(2_000);
      await analyze();
      await addQueued(60_000);
      await addRunning(1_000);
    },
  ],
  [
    '60,000 queued, statistics that know it',
    async () => {
      await addCompleted(2_000);
      await addQueued(60_000);
      await addRunning(1_000);
      await analyze();
    },
  ],
  [
    '60,000 completed, statistics from when all were queued',
    async () => {
      await addQueued(60_000);
      await analyze();
      await base.admin.query(
        `UPDATE runs SET status = 'completed', completed_at = now(), dispatch_after = NULL`,
      );
      await addQueued(1_000);
      await addRunning(1_000);
    },
  ],
];

describe.each(SITUATIONS)('with %s', (_, fill) => {
  beforeAll(async () => {
    await base.clear();
    await fill();
  });

  describe.each([
    // How the hot path's connections plan.
    ['force_generic_plan', STATEMENTS],
    // What a planner makes of the values: for statements that also run elsewhere, which all name their rows.
    ['force_custom_plan', STATEMENTS.filter(([, index]) => index === 'runs_pkey')],
  ] as const)('and %s', (mode, statements) => {
    it.each(statements)('the %s finds its rows by %s', async (_name, index, send) => {
      const sent = await sentBy(send);
      const indexes = new Set<string>();
      for (const statement of sent) {
        const plan = await planOf(base.pool, mode, statement);
        expect([statement.text, plan.seqScans.filter((table) => table === 'runs')]).toEqual([
          statement.text,
          [],
        ]);
        for (const used of plan.indexes) indexes.add(used);
      }
      expect([...indexes]).toContain(index);
      if (index === 'runs_pkey') {
        expect([...indexes].filter((used) => /^runs_(dispatch|overdue|unsuccessful)$/.test(used))).toEqual(
          [],
        );
      }
    });
  });
});
