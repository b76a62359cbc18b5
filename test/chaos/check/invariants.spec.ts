/** Every invariant is broken on purpose, against the schema's own resistance, and has to say so. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  cancelRun,
  claimRuns,
  createDb,
  createPool,
  insertRuns,
  reapRuns,
  settleRuns,
} from '@spine/database';
import type { ClaimedRun, Db, Pool, Settlement } from '@spine/database';
import { newRun, taskSpec } from '@spine/execution';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { recordEvidence } from './evidence.ts';
import type { Evidence } from './evidence.ts';
import { findViolations, INVARIANT_NAMES, INVARIANTS } from './invariants.ts';
import type { InvariantName } from './invariants.ts';

const WORKER = newId();
const SOURCE = `worker:${WORKER}`;
const ERROR = { message: 'it broke', type: 'Error', category: 'INTERNAL', retryable: false } as const;

let database: TestDatabase;
let admin: Pool;
let db: Db;
/** A run that completed, one that was retried, reaped and dead-lettered, and one that was cancelled. */
let completed: string;
let lettered: string;
let cancelled: string;
let evidence: Evidence;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = createPool({ connectionString: database.connectionString, role: null });
  db = createDb(createPool({ connectionString: database.connectionString }));
  // What is planted here, the schema refuses; that it does is shown by its own tests.
  await admin.query(`
    ALTER TABLE runs DISABLE TRIGGER USER; ALTER TABLE run_events DISABLE TRIGGER USER;
    DROP INDEX run_events_one_terminal; ALTER TABLE runs DROP CONSTRAINT runs_budget, DROP CONSTRAINT runs_state,
      DROP CONSTRAINT runs_finished_epoch`);
});

afterAll(async () => {
  await db.destroy();
  await admin.end();
  await database.drop();
});

async function store(key: string): Promise<string> {
  const run = newRun({ ...taskSpec('echo'), idempotencyKey: key, maxRetries: 5, retryDelaySeconds: 0 });
  await insertRuns(admin, [run], { ambiguous: false, hinted: false });
  return run.runId;
}

async function claim(runId: string): Promise<ClaimedRun> {
  const [run] = await claimRuns(admin, [runId], {
    workerId: WORKER,
    leaseMs: 30_000,
    handlers: ['task:echo'],
  });
  if (run === undefined) throw new Error('the run was not claimed');
  return run;
}

async function settle({ runId, epoch }: ClaimedRun, settlement: Settlement): Promise<void> {
  expect(await settleRuns(admin, [{ runId, epoch, settlement }], { source: SOURCE })).toEqual(['settled']);
}

async function event(
  runId: string,
  epoch: number,
  type: string,
  more: { terminal?: boolean; source?: string } = {},
) {
  await admin.query(
    'INSERT INTO run_events (run_id, epoch, event_type, terminal, source) VALUES ($1, $2, $3, $4, $5)',
    [runId, epoch, type, more.terminal ?? false, more.source ?? SOURCE],
  );
}

beforeEach(async () => {
  await admin.query('TRUNCATE runs, run_events, dead_letters');
  const starts: Evidence['starts'][number][] = [];
  const start = async (runId: string): Promise<ClaimedRun> => {
    const run = await claim(runId);
    starts.push({ runId, epoch: run.epoch, pid: 1 });
    return run;
  };
  completed = await store('a');
  await settle(await start(completed), { type: 'completed', result: null });

  lettered = await store('b');
  await settle(await start(lettered), { type: 'retry', error: ERROR, delayMs: 0 });
  await start(lettered);
  await admin.query(`UPDATE runs SET lease_expires_at = now() - interval '1 minute' WHERE id = $1`, [
    lettered,
  ]);
  expect(await reapRuns(admin)).toMatchObject([{ runId: lettered, status: 'queued' }]);
  await settle(await start(lettered), { type: 'handed_back', reason: 'the worker is stopping' });
  await settle(await start(lettered), { type: 'dead_lettered', error: ERROR });

  cancelled = await store('c');
  await start(cancelled);
  await cancelRun(db, cancelled, null, 'api');

  evidence = {
    promised: [
      { key: 'a', runId: completed },
      { key: 'a', runId: completed },
      { key: 'b', runId: lettered },
      { key: 'c', runId: cancelled },
    ],
    planned: [
      { key: 'a', expected: ['completed'] },
      { key: 'b', expected: ['dead_lettered'] },
      { key: 'c', expected: ['completed', 'cancelled'] },
      { key: 'd', expected: 'refused' },
    ],
    starts,
    losesLeases: false,
  };
});

async function violated(more: Partial<Evidence> = {}): Promise<InvariantName[]> {
  await recordEvidence(admin, { ...evidence, ...more });
  return (await findViolations(admin)).map(({ invariant }) => invariant);
}

describe('the invariants', () => {
  it('all hold for runs that went through every transition', async () => {
    expect(await violated()).toEqual([]);
  });

  it('count what breaks them and show some of it', async () => {
    await recordEvidence(admin, {
      ...evidence,
      promised: Array.from({ length: 8 }, (_, index) => ({ key: `lost-${index}`, runId: newId() })),
      planned: [],
    });
    const [violation] = await findViolations(admin);
    expect(violation).toMatchObject({ invariant: 'answered-submit-has-its-row', count: 8 });
    expect(violation?.rows).toHaveLength(5);
  });
});

/** How each is broken; answers with what else is wrong then. */
const BREAKERS: Record<InvariantName, () => Promise<InvariantName[]>> = {
  'answered-submit-has-its-row': async () => {
    const lost = { key: 'e', runId: newId() };
    return violated({ promised: [...evidence.promised, lost] });
  },
  'one-key-one-run': async () => {
    const second = await store('a2');
    await settle(await claim(second), { type: 'completed', result: null });
    return violated({ promised: [...evidence.promised, { key: 'a', runId: second }] });
  },
  'every-submit-is-answered': () =>
    violated({ planned: [...evidence.planned, { key: 'f', expected: ['completed'] }] }),
  'everything-is-terminal': async () => {
    await store('g');
    return violated();
  },
  'one-terminal-event': async () => {
    await event(completed, 1, 'failed', { terminal: true, source: 'api' });
    return violated();
  },
  'nothing-after-the-end': async () => {
    await event(cancelled, 2, 'noted', { source: 'api' });
    return violated();
  },
  'no-stale-write': async () => {
    const run = await store('h');
    await claim(run);
    await event(run, 2, 'lease_expired', { source: 'reaper' });
    await event(run, 1, 'progress');
    return violated();
  },
  'settled-at-its-epoch': async () => {
    await admin.query('UPDATE runs SET finished_epoch = NULL WHERE id = $1', [completed]);
    return violated();
  },
  'epoch-claimed-once': async () => {
    const run = await store('i');
    const claimed = await claim(run);
    await event(run, claimed.epoch, 'started');
    await settle(claimed, { type: 'completed', result: null });
    return violated();
  },
  'handler-started-once-an-epoch': () =>
    violated({ starts: [...evidence.starts, { runId: completed, epoch: 1, pid: 2 }] }),
  'handler-start-was-claimed': () =>
    violated({ starts: [...evidence.starts, { runId: completed, epoch: 2, pid: 2 }] }),
  'dead-letters-exactly': async () => {
    await admin.query('DELETE FROM dead_letters WHERE run_id = $1', [lettered]);
    return violated();
  },
  'within-budget': async () => {
    await admin.query('UPDATE runs SET crash_count = 4 WHERE id = $1', [completed]);
    return violated();
  },
  'submitted-once': async () => {
    await admin.query(`DELETE FROM run_events WHERE run_id = $1 AND event_type = 'submitted'`, [completed]);
    return violated();
  },
  'ended-as-expected': () =>
    violated({ planned: [{ key: 'a', expected: ['dead_lettered'] }, ...evidence.planned.slice(1)] }),
};

/** A violation that cannot be had alone. */
const ALONG: Partial<Record<InvariantName, readonly InvariantName[]>> = {
  'one-key-one-run': ['answered-submit-has-its-row'],
  'one-terminal-event': ['nothing-after-the-end'],
  'no-stale-write': ['everything-is-terminal'],
};

describe('a planted violation is found', () => {
  it.each(INVARIANT_NAMES)('%s', async (name) => {
    const expected = new Set([name, ...(ALONG[name] ?? [])]);
    expect(await BREAKERS[name]()).toEqual(INVARIANT_NAMES.filter((each) => expected.has(each)));
  });

  it('in further ways', async () => {
    // A dead letter of a run that completed.
    await admin.query(
      `INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count)
       VALUES ($1, 'task', 'echo', 'default', '{}', '{}', 'INTERNAL', 1, 0)`,
      [completed],
    );
    expect(await violated()).toEqual(['dead-letters-exactly']);
    await admin.query('DELETE FROM dead_letters WHERE run_id = $1', [completed]);

    // A terminal row without its event, and one whose event names another end.
    await admin.query(`UPDATE runs SET status = 'failed' WHERE id = $1`, [completed]);
    expect(await violated()).toEqual(['one-terminal-event', 'ended-as-expected']);
    await admin.query(`UPDATE runs SET status = 'completed' WHERE id = $1`, [completed]);
    await admin.query('DELETE FROM run_events WHERE run_id = $1 AND terminal', [completed]);
    expect(await violated()).toEqual(['one-terminal-event']);
  });

  it('of a settlement that came after the reaper', async () => {
    const run = await store('z');
    const stale = await claim(run);
    await admin.query(`UPDATE runs SET lease_expires_at = now() - interval '1 minute' WHERE id = $1`, [run]);
    await reapRuns(admin);
    await settle(await claim(run), { type: 'completed', result: null });
    await event(run, stale.epoch, 'completed');
    expect(await violated()).toEqual(['nothing-after-the-end', 'no-stale-write']);
  });

  it('but a third lost lease is no surprise where the fault takes leases', async () => {
    await admin.query('UPDATE runs SET crash_count = 3 WHERE id = $1', [lettered]);
    const planned = [{ key: 'b', expected: ['completed'] as const }];
    expect(await violated({ planned })).toEqual(['ended-as-expected']);
    expect(await violated({ planned, losesLeases: true })).toEqual([]);
  });

  it('by a statement each', () => {
    expect(Object.keys(INVARIANTS).sort()).toEqual([...INVARIANT_NAMES].sort());
  });
});
