/** Deleting old runs: what goes, what stays, and that claims never notice. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FIRST_RUN_ID, insertRuns, MAX_PURGE_BATCH, purgeRuns } from '@spine/database';
import type { Pool, Queryable } from '@spine/database';
import { createRetention, ExecutionRepository } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { claim, openEngineDatabase, openTransaction, runOf, store } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';

let base: EngineDatabase;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
});
beforeEach(() => base.clear());
afterAll(() => base.close());

const OLD = 10 * DAY_MINUTES;
const NOTHING = { lastRunId: null, runs: 0, events: 0, logs: 0, payloads: 0, deadLetters: 0 };

const purge = (more: Partial<Parameters<typeof purgeRuns>[1]> = {}) =>
  purgeRuns(base.pool, { olderThanDays: 7, afterRunId: FIRST_RUN_ID, batch: 1_000, ...more });

type Table = 'runs' | 'run_events' | 'run_logs' | 'run_payloads' | 'dead_letters';

async function remaining(table: Table): Promise<string[]> {
  const column = table === 'runs' ? 'id' : 'run_id';
  const { rows } = await admin.query<{ id: string }>(
    `SELECT DISTINCT ${column} AS id FROM ${table} ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

describe('a purge', () => {
  it('deletes finished runs of every ending older than the period, with their events, and no others', async () => {
    await addPastRuns(admin, { count: 3, minutesAgo: OLD });
    for (const status of ['failed', 'cancelled', 'timed_out'] as const) {
      await addPastRuns(admin, { status, minutesAgo: OLD });
    }
    const kept = await addPastRuns(admin, { count: 2, minutesAgo: 6 * DAY_MINUTES });
    expect(await purge()).toEqual({ ...NOTHING, runs: 6, events: 12 });
    expect(await remaining('runs')).toEqual(kept);
    expect(await remaining('run_events')).toEqual(kept);
    expect(await purge()).toEqual(NOTHING);
  });

  it('deletes log lines and payloads with their run', async () => {
    const runIds = [...(await addPastRuns(admin, { minutesAgo: OLD })), ...(await addPastRuns(admin))];
    await admin.query(
      `INSERT INTO run_logs (run_id, epoch, attempt, level, message, timestamp)
       SELECT id, 1, 1, 30, 'line ' || n, now() FROM unnest($1::uuid[]) AS r(id), generate_series(1, 3) n`,
      [runIds],
    );
    await admin.query(
      `INSERT INTO run_payloads (run_id, slot, content)
       SELECT id, slot, '{}' FROM unnest($1::uuid[]) AS r(id), unnest(ARRAY['params', 'result:1']) AS s(slot)`,
      [runIds],
    );
    expect(await purge()).toEqual({ ...NOTHING, runs: 1, events: 2, logs: 3, payloads: 2 });
    for (const table of ['run_logs', 'run_payloads'] as const) {
      expect(await remaining(table)).toEqual(runIds.slice(1));
      await admin.query(`TRUNCATE ${table}`);
    }
  });

  it('goes by when a run ended, not by when it was submitted', async () => {
    const late = await addPastRuns(admin, { minutesAgo: OLD, durationMs: 5 * DAY_MINUTES * 60_000 });
    expect(await purge()).toMatchObject({ runs: 0 });
    expect(await remaining('runs')).toEqual(late);
  });

  it('deletes no run that has not ended, however old', async () => {
    const waiting = await store(base.pool, [
      runOf(),
      runOf(),
      runOf({ runAfter: new Date(Date.now() + 1e9) }),
    ]);
    await claim(base.pool, waiting.slice(0, 1));
    // As if they had been submitted long ago: the ids decide what a purge looks at.
    await admin.query(
      `ALTER TABLE runs DISABLE TRIGGER runs_spec_is_fixed;
       UPDATE runs SET created_at = now() - interval '10 days',
         id = overlay(id::text placing left(spine_run_id_at(now() - interval '10 days')::text, 14) from 1 for 14)::uuid;
       ALTER TABLE runs ENABLE TRIGGER runs_spec_is_fixed`,
    );
    expect(await purge()).toMatchObject({ runs: 0 });
    expect(await remaining('runs')).toHaveLength(3);
  });

  it('keeps a run whose dead letter is pending or was resolved within the period', async () => {
    const [pending = '', fresh = '', old = ''] = await addPastRuns(admin, {
      count: 3,
      status: 'dead_lettered',
      minutesAgo: OLD,
    });
    await resolvePast(admin, [fresh], 6 * DAY_MINUTES);
    await resolvePast(admin, [old], 8 * DAY_MINUTES);
    expect(await purge()).toEqual({ ...NOTHING, runs: 1, events: 2, deadLetters: 1 });
    for (const table of ['runs', 'run_events', 'dead_letters'] as const) {
      expect(await remaining(table)).toEqual([pending, fresh].sort());
    }
  });

  it('leaves runs that point at a deleted one as they are, and frees its idempotency key', async () => {
    const [old = ''] = await addPastRuns(admin, { minutesAgo: OLD, idempotencyKey: 'k', status: 'failed' });
    const [retry = ''] = await addPastRuns(admin, { retryOfRunId: old });
    await purge();
    const { rows } = await admin.query('SELECT id, retry_of_run_id FROM runs');
    expect(rows).toEqual([{ id: retry, retry_of_run_id: old }]);
    expect(await store(base.pool, [runOf({ idempotencyKey: 'k' })])).toHaveLength(1);
    expect(await remaining('runs')).toHaveLength(2);
  });

  it('between the two statements of an insert leaves the key to the new run, not to nobody', async () => {
    await addPastRuns(admin, { minutesAgo: OLD, idempotencyKey: 'k' });
    const [fresh, other] = [runOf({ idempotencyKey: 'k' }), runOf({ idempotencyKey: 'other' })];
    let sent = 0;
    const purging: Queryable = {
      query: async (config) => {
        // The insert has met the old run's key; before anybody can look it up, it is gone.
        if ((sent += 1) === 2) await purge();
        return base.pool.query(config);
      },
    };
    const outcomes = await insertRuns(purging, [fresh, other], { ambiguous: false, hinted: true });
    expect(outcomes.map(({ type }) => type)).toEqual(['inserted', 'inserted']);
    expect(await remaining('runs')).toEqual([fresh.runId, other.runId].sort());
  });

  it('looks at one batch, and says where to continue', async () => {
    const [kept = ''] = await addPastRuns(admin, { status: 'dead_lettered', minutesAgo: OLD + 60 });
    const ids = [kept, ...(await addPastRuns(admin, { count: 5, minutesAgo: OLD }))];
    // What stays takes part of the batch, and is not met again by the next one.
    const first = await purge({ batch: 3 });
    expect(first).toMatchObject({ runs: 2, lastRunId: ids[2] });
    const second = await purge({ batch: 3, afterRunId: first.lastRunId ?? '' });
    expect(second).toMatchObject({ runs: 3, lastRunId: ids[5] });
    expect(await purge({ batch: 3, afterRunId: second.lastRunId ?? '' })).toMatchObject({
      runs: 0,
      lastRunId: null,
    });
    expect(await remaining('runs')).toEqual([kept]);
  });

  it('refuses a period under a day and a batch out of bounds, whoever asks', async () => {
    await addPastRuns(admin, { minutesAgo: 10 });
    for (const period of ['23 hours', '0', '-1 day']) {
      await expect(
        base.pool.query('SELECT * FROM spine_purge_runs($1::interval, $2, 10)', [period, FIRST_RUN_ID]),
      ).rejects.toMatchObject({ code: '22023' });
      await expect(
        base.pool.query('SELECT spine_purge_dead_letters($1::interval, 10)', [period]),
      ).rejects.toMatchObject({ code: '22023' });
    }
    for (const batch of [0, MAX_PURGE_BATCH + 1]) {
      await expect(purge({ batch })).rejects.toMatchObject({ code: '22023' });
      await expect(
        base.pool.query(`SELECT spine_purge_dead_letters('2 days', $1)`, [batch]),
      ).rejects.toMatchObject({ code: '22023' });
    }
    expect(await remaining('runs')).toHaveLength(1);
  });
});

describe('a purge beside others', () => {
  it('waits for nobody: a run that another transaction holds is left to it', async () => {
    const [held = ''] = await addPastRuns(admin, { count: 2, minutesAgo: OLD });
    const other = await openTransaction(admin);
    await other.client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [held]);
    // Without SKIP LOCKED this would wait for ever.
    expect(await purge()).toMatchObject({ runs: 1, events: 2 });
    expect(await remaining('runs')).toEqual([held]);
    await other.end('ROLLBACK');
    expect(await purge()).toMatchObject({ runs: 1 });
  });

  it('keeps no claim waiting while its own transaction is open', async () => {
    await addPastRuns(admin, { count: 50, minutesAgo: OLD });
    const [runId = ''] = await store(base.pool, [runOf()]);
    const purging = await openTransaction(admin);
    const { rows } = await purging.client.query(
      `SELECT deleted_runs FROM spine_purge_runs('7 days', '${FIRST_RUN_ID}', 1000)`,
    );
    expect(rows).toEqual([{ deleted_runs: 50 }]);
    expect(await claim(base.pool, [runId])).toHaveLength(1);
    await purging.end('COMMIT');
    expect(await remaining('runs')).toEqual([runId]);
  });

  it('deletes each run once, however many sweep at once', async () => {
    await addPastRuns(admin, { count: 300, minutesAgo: OLD });
    const ledger = new ExecutionRepository(base.db);
    const counts = await Promise.all([1, 2, 3].map(() => ledger.cleanUp(7)));
    expect(counts.reduce((sum, { runs }) => sum + runs, 0)).toBe(300);
    expect(counts.reduce((sum, { events }) => sum + events, 0)).toBe(600);
    expect(await remaining('runs')).toEqual([]);
  });

  it('reads no table from end to end, also where that would be the planner’s choice', async () => {
    await addPastRuns(admin, { count: 300, minutesAgo: OLD });
    await admin.query('ANALYZE runs, run_events, dead_letters');
    const { client, end } = await openTransaction(admin);
    const seqScans = async (): Promise<Record<string, number>> => {
      const { rows } = await client.query<{ relname: string; seq_scan: number }>(
        `SELECT relname, seq_scan::int FROM pg_stat_xact_user_tables
         WHERE relname IN ('runs', 'run_events', 'run_logs', 'run_payloads', 'dead_letters') ORDER BY relname`,
      );
      return Object.fromEntries(rows.map(({ relname, seq_scan }) => [relname, seq_scan]));
    };
    const before = await seqScans();
    await client.query(`SELECT * FROM spine_purge_runs('7 days', '${FIRST_RUN_ID}', 1000)`);
    await client.query(`SELECT spine_purge_dead_letters('7 days', 1000)`);
    const after = await seqScans();
    await end('ROLLBACK');
    expect(after).toEqual(before);
  });
});

describe('the retention service', () => {
  it('sweeps batch by batch until nothing old is left, again and again, and counts', async () => {
    const recent = await addPastRuns(admin, { count: 2 });
    await addPastRuns(admin, { count: 25, minutesAgo: OLD });
    const metrics = new Metrics('test');
    const logger = silentLogger();
    const service = createRetention({ pool: base.pool, logger, metrics, days: 7, everyMs: 20, batch: 10 });
    service.start();
    await waitFor(async () => (await remaining('runs')).length === 2);
    expect(await remaining('runs')).toEqual(recent);
    // A second sweep finds what has grown old since.
    await addPastRuns(admin, { count: 3, minutesAgo: OLD });
    await waitFor(async () => (await remaining('runs')).length === 2);
    await service.stop();
    const { values } = await metrics.purged.get();
    expect(Object.fromEntries(values.map(({ labels, value }) => [labels.table, value]))).toEqual({
      runs: 28,
      run_events: 56,
      run_logs: 0,
      run_payloads: 0,
      dead_letters: 0,
    });
  });
});

describe('cleanUp', () => {
  it.each([0, 0.5, -1, Number.NaN, 40_000])('refuses a period of %s days', async (days) => {
    await expect(new ExecutionRepository(base.db).cleanUp(days)).rejects.toThrow('older_than_days: given');
  });

  it('stops between two batches when it is told to', async () => {
    await addPastRuns(admin, { count: 2_500, minutesAgo: OLD, events: false });
    const stop = new AbortController();
    const cleaning = new ExecutionRepository(base.db).cleanUp(7, stop.signal);
    stop.abort();
    expect((await cleaning).runs).toBe(1_000);
    expect(await remaining('runs')).toHaveLength(1_500);
  });
});

describe('the services’ role', () => {
  it('may purge, and may still not delete', async () => {
    await addPastRuns(admin, { minutesAgo: OLD });
    expect(await purge()).toMatchObject({ runs: 1 });
    await expect(base.pool.query('DELETE FROM runs')).rejects.toMatchObject({ code: '42501' });
  });

  it('is the only one besides the owner', async () => {
    const { rows } = await admin.query(
      `SELECT proname FROM pg_proc WHERE proname LIKE 'spine_purge%' AND
         (NOT prosecdef OR has_function_privilege('public', oid, 'EXECUTE'))`,
    );
    expect(rows).toEqual([]);
  });
});
