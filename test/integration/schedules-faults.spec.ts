/** Schedules when several things happen at once, and at the limits of what they may be. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  activeScheduleRuns,
  closeEndedScheduleRuns,
  getRun,
  inTransaction,
  listScheduleRuns,
  moveSchedules,
  takeDueSchedules,
} from '@spine/database';
import type { ScheduleRecord } from '@spine/database';
import type { ScheduleInput } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { planOf, sentBy, watchedDb } from './plan-support.ts';
import { openSchedules } from './schedules-support.ts';
import type { ScheduleBed } from './schedules-support.ts';

const INLINE_BYTES = 1_024;

let bed: ScheduleBed;
beforeAll(async () => {
  bed = await openSchedules({ quota: 2, payloads: { inlineBytes: INLINE_BYTES } });
});
afterAll(() => bed.close());

interface RunRow {
  readonly lane: string;
  readonly status: string;
  readonly gates: unknown;
  readonly wait: number;
}

async function runsOf({ scheduleId }: ScheduleRecord): Promise<RunRow[]> {
  const { rows } = await bed.admin.query<RunRow>(
    `SELECT lane, status, gates, round(extract(epoch FROM available_at - created_at))::int AS wait FROM runs
     WHERE metadata->>'schedule_id' = $1 ORDER BY id`,
    [scheduleId],
  );
  return rows;
}

async function outcomes(schedule: ScheduleRecord): Promise<string[]> {
  const rows = await bed.rows(schedule);
  return rows.map(({ origin, status }) => `${origin} ${status}`);
}

/** The range in which the one time lies at which the schedule is due. */
async function rangeOfDue(schedule: ScheduleRecord): Promise<{ from: Date; to: Date; by: string }> {
  const { nextFireAt } = await bed.reload(schedule);
  if (nextFireAt === null) throw new Error('it is not due');
  return { from: nextFireAt, to: new Date(nextFireAt.getTime() + 1), by: 'test' };
}

describe('an occurrence that is due and backfilled', () => {
  it('starts one run, whichever comes first', async () => {
    const backfilled = await bed.create({});
    await bed.makeDue(backfilled, 1);
    const range = await rangeOfDue(backfilled);
    expect((await bed.manager.backfill(backfilled.scheduleId, range))?.started).toHaveLength(1);
    await bed.tick();
    expect(await outcomes(backfilled)).toEqual(['backfill FIRED']);
    expect(await runsOf(backfilled)).toHaveLength(1);

    const fired = await bed.create({});
    await bed.makeDue(fired, 1);
    const due = await rangeOfDue(fired);
    // The backfill has found it open, and the tick comes first.
    const raced = await bed.admin.connect();
    try {
      await raced.query('BEGIN');
      await raced.query('LOCK TABLE schedule_runs IN EXCLUSIVE MODE');
      const backfill = bed.manager.backfill(fired.scheduleId, due);
      await waitFor(async () => (await waiting()) === 1);
      const tick = bed.tick();
      await waitFor(async () => (await waiting()) === 2);
      await raced.query('COMMIT');
      await Promise.all([backfill, tick]);
    } finally {
      raced.release();
    }
    expect(await runsOf(fired)).toHaveLength(1);
    expect((await bed.rows(fired)).filter(({ status }) => status === 'FIRED')).toHaveLength(1);
  });

  it('of a backfill holds up no occurrence that comes in time, and is not cancelled by it', async () => {
    for (const overlapPolicy of ['skip', 'cancel_existing'] as const) {
      const schedule = await bed.create({ overlapPolicy });
      await bed.makeDue(schedule, 1);
      const { nextFireAt } = await bed.reload(schedule);
      const at = nextFireAt?.getTime() ?? 0;
      await bed.admin.query(
        `UPDATE schedules SET interval_anchor = to_timestamp($2) WHERE schedule_id = $1`,
        [schedule.scheduleId, at / 1_000 - 7_200],
      );
      const range = { from: new Date(at - 7_200_000), to: new Date(at), by: 'test' };
      expect((await bed.manager.backfill(schedule.scheduleId, range))?.started).toHaveLength(2);
      await bed.tick();
      expect(await outcomes(schedule)).toEqual(['backfill FIRED', 'backfill FIRED', 'schedule FIRED']);
      expect((await runsOf(schedule)).map(({ status }) => status)).toEqual(['queued', 'queued', 'queued']);
    }
  });
});

/** Statements that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await bed.admin.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]?.n ?? 0;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : error;
}

describe('a schedule that is changed while it is decided about', () => {
  it('is left alone by a tick while its pause has not committed, and fires no more once it has', async () => {
    const schedule = await bed.create({});
    await bed.makeDue(schedule, 1);
    const pausing = await bed.admin.connect();
    try {
      await pausing.query('BEGIN');
      await pausing.query(
        `UPDATE schedules SET state = 'paused', next_fire_at = NULL, version = version + 1 WHERE schedule_id = $1`,
        [schedule.scheduleId],
      );
      expect((await bed.tick()).decisions).toEqual([]);
      await pausing.query('COMMIT');
    } finally {
      pausing.release();
    }
    expect((await bed.tick()).now).toBeNull();
    expect(await bed.rows(schedule)).toEqual([]);
  });

  it('is paused or deleted after the decision that is under way', async () => {
    for (const end of ['pause', 'delete'] as const) {
      const schedule = await bed.create({});
      await bed.makeDue(schedule, 1);
      const changed = await inTransaction(
        bed.admin,
        { lockTimeoutMs: 5_000, idleTimeoutMs: 10_000 },
        async (on) => {
          const due = await takeDueSchedules(on, 10);
          const taken = due?.schedules[0];
          if (taken?.nextFireAt === null || taken === undefined) throw new Error('nothing is due');
          const change = bed.manager[end](schedule.scheduleId);
          await waitFor(async () => (await waiting()) === 1);
          const to = new Date(taken.nextFireAt.getTime() + 3_600_000);
          const move = {
            scheduleId: schedule.scheduleId,
            from: taken.nextFireAt,
            to,
            lastFireAt: null,
            pausedReason: null,
          };
          expect((await moveSchedules(on, [move])).size).toBe(1);
          return { change };
        },
      );
      await changed.change;
      const { rows } = await bed.admin.query<{ state: string; next_fire_at: Date | null }>(
        'SELECT state, next_fire_at FROM schedules WHERE schedule_id = $1',
        [schedule.scheduleId],
      );
      expect(rows).toEqual([{ state: `${end}d`, next_fire_at: null }]);
    }
  });

  it('moves only from where it was read', async () => {
    const schedule = await bed.create({});
    const from = new Date((schedule.nextFireAt?.getTime() ?? 0) - 1_000);
    const { scheduleId } = schedule;
    const move = { scheduleId, from, to: new Date(), lastFireAt: null, pausedReason: null };
    expect((await moveSchedules(bed.engine.pool, [move])).size).toBe(0);
    expect(await bed.reload(schedule)).toEqual(schedule);
  });

  it('that was moved by somebody who asks for no lock starts nothing', async () => {
    const schedule = await bed.create({});
    await bed.makeDue(schedule, 1);
    await bed.admin
      .query(`CREATE FUNCTION no_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER no_move BEFORE UPDATE OF next_fire_at ON schedules FOR EACH ROW EXECUTE FUNCTION no_move()`);
    await expect(bed.tick()).rejects.toThrow('was moved by another');
    await bed.admin.query('DROP FUNCTION no_move CASCADE');
    expect(await runsOf(schedule)).toEqual([]);
    await bed.tick();
    expect(await runsOf(schedule)).toHaveLength(1);
  });

  it('is decided about by the next tick after a deadlock with a settlement', async () => {
    const schedule = await bed.create({ overlapPolicy: 'cancel_existing', maxInstances: 2 });
    for (let round = 0; round < 2; round += 1) {
      await bed.makeDue(schedule, 2 - round);
      await bed.tick();
    }
    await bed.admin.query('UPDATE schedules SET max_instances = 1 WHERE schedule_id = $1', [
      schedule.scheduleId,
    ]);
    await bed.makeDue(schedule, 0);
    const [older, newer] = (await bed.rows(schedule)).map(({ run_id: id }) => id);
    const settling = await bed.admin.connect();
    try {
      await settling.query('BEGIN');
      const lock = (runId: string | null | undefined) =>
        settling.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [runId]);
      await lock(newer);
      const tick = bed.tick();
      const decided = tick.then(() => 'done', codeOf);
      await waitFor(async () => (await waiting()) === 1);
      // Postgres ends the one that has waited for longer, or this one should it be slow to come.
      const locked = await lock(older).then(() => 'done', codeOf);
      await settling.query('ROLLBACK');
      expect([await decided, locked].sort()).toEqual(['40P01', 'done']);
    } finally {
      settling.release();
    }
    await bed.tick();
    expect((await runsOf(schedule)).map(({ status }) => status)).toEqual([
      'cancelled',
      'cancelled',
      'queued',
    ]);
  });
});

describe('what is late', () => {
  const late = { intervalSeconds: 60, misfireGraceSeconds: 30, jitterSeconds: 3_600 } as const;

  it('goes to its own lane only where the schedule catches up, and has no jitter', async () => {
    const once = await bed.create({ ...late, work: { kind: 'task', name: 'echo', lane: 'mine' } });
    await bed.makeDue(once, 45);
    await bed.tick();
    expect(await runsOf(once)).toMatchObject([{ lane: 'mine', wait: 0, gates: null }]);
  });

  it('waits in the queue of its schedule', async () => {
    for (const overlapPolicy of ['queue', 'skip'] as const) {
      const schedule = await bed.create({
        ...late,
        misfirePolicy: 'catch_up',
        catchUpLimit: 3,
        catchUpSpacingSeconds: 5,
        overlapPolicy,
      });
      await bed.makeDue(schedule, 165);
      await bed.tick();
      const runs = await runsOf(schedule);
      expect(runs.map(({ lane, wait }) => [lane, wait])).toEqual([
        ['backfill', 0],
        ['backfill', 5],
        ['backfill', 10],
      ]);
      for (const { gates } of runs)
        expect(JSON.stringify(gates)).toContain(`schedule:${schedule.scheduleId}`);
    }
  });
});

describe('a spec of the runs', () => {
  const gate = (key: string) => ({ key, limit: 1 });
  const refused = async (input: Partial<ScheduleInput>): Promise<string> => {
    try {
      await bed.create(input);
      return 'created';
    } catch (error) {
      return String(error);
    }
  };

  it('may have gates of its own beside that of its schedule', async () => {
    const schedule = await bed.create({
      overlapPolicy: 'queue',
      work: { kind: 'task', name: 'echo', concurrency: [gate('one')] },
    });
    await bed.makeDue(schedule, 1);
    await bed.tick();
    const [run] = await runsOf(schedule);
    expect(JSON.stringify(run?.gates)).toMatch(/"one".*schedule:|schedule:.*"one"/);
  });

  it('that none of its runs could have is refused when the schedule is made', async () => {
    const concurrency = ['a', 'b', 'c', 'd', 'e'].map(gate);
    const work = { kind: 'task', name: 'echo', concurrency } as const;
    expect(await refused({ work })).toBe('created');
    expect(await refused({ work, overlapPolicy: 'queue' })).toContain(
      'its runs would be refused: concurrency',
    );
    expect(await refused({ work, misfirePolicy: 'catch_up' })).toContain('refused: concurrency');
    const params = { seconds: '{{ fire_time }}' };
    expect(await refused({ work: { kind: 'task', name: 'sleep', params } })).toContain('params.seconds');
  });

  it('with params that are too large for a row keeps them outside of it', async () => {
    const text = 'x'.repeat(INLINE_BYTES);
    const schedule = await bed.create({
      work: { kind: 'task', name: 'echo', params: { text, at: '{{ fire_time }}' } },
    });
    await bed.makeDue(schedule, 1);
    await bed.tick();
    const asked = await bed.manager.trigger(schedule.scheduleId, 'test');
    for (const runId of [(await bed.rows(schedule))[0]?.run_id ?? '', asked?.runId ?? '']) {
      expect((await getRun(bed.engine.db, runId))?.paramsRef).not.toBeNull();
      const run = await bed.engine.dispatcher.read(runId);
      expect(run?.params).toMatchObject({ text });
    }
  });
});

describe('the places of schedules that fire every second', () => {
  it('are taken only by those that are active, and no pause is refused', async () => {
    const often = { intervalSeconds: 1 } as const;
    const input = (name: string): ScheduleInput => ({
      name,
      scheduleType: 'interval',
      work: { kind: 'task', name: 'echo' },
      ...often,
    });
    const [first] = [await bed.create(often), await bed.create(often)];
    const paused = await bed.manager.create(input('waits'), { by: 'test', paused: true });
    if (paused.type !== 'written') throw new Error(paused.type);
    const { scheduleId } = paused.schedule;
    expect(await bed.manager.create(input('one more'), { by: 'test' })).toEqual({
      type: 'over_quota',
      quota: 2,
    });
    expect(await bed.manager.resume(scheduleId)).toEqual({ type: 'over_quota', quota: 2 });
    // As after a deployment that allows fewer.
    await bed.admin.query(
      `UPDATE schedules SET state = 'active', next_fire_at = now() + interval '1 hour' WHERE schedule_id = $1`,
      [scheduleId],
    );
    expect((await bed.manager.pause(first.scheduleId)).type).toBe('changed');
    expect((await bed.manager.resume(first.scheduleId)).type).toBe('over_quota');
  });
});

describe('with 20,000 rows of history', () => {
  it('a page of a schedule’s history and its runs under way are found by index', async () => {
    const schedule = await bed.create({});
    await bed.admin.query(`INSERT INTO schedules SELECT (jsonb_populate_record(s, jsonb_build_object(
        'schedule_id', gen_random_uuid(), 'name', 'many ' || i))).* FROM schedules s, generate_series(1, 100) i
      WHERE s.schedule_id = '${schedule.scheduleId}'`);
    await bed.admin
      .query(`INSERT INTO schedule_runs (schedule_id, fire_at, through_at, origin, status, run_id, late_ms,
        decided_by, run_status, ended_at)
      SELECT schedule_id, t, t, 'schedule', 'FIRED', gen_random_uuid(), 0, 'test', 'completed', now()
      FROM schedules, generate_series(now() - interval '200 hours', now(), interval '1 hour') t WHERE name LIKE 'many %'`);
    await bed.admin.query('ANALYZE schedule_runs; ANALYZE schedules');
    const watched = watchedDb(bed.databaseUrl);
    try {
      const { scheduleId } = schedule;
      const page = { limit: 50, before: { fireAt: new Date(), origin: 'schedule' } } as const;
      const plan = await watched.planOf((db) => listScheduleRuns(db, { scheduleId }, page));
      expect(plan).toMatchObject({ seqScans: [], indexes: ['schedule_runs_once'] });
    } finally {
      await watched.close();
    }
    const after = { scheduleId: schedule.scheduleId, scheduleRunId: 0 };
    for (const [send, indexes] of [
      [(on) => activeScheduleRuns(on, [schedule.scheduleId]), ['schedule_runs_open']],
      [(on) => closeEndedScheduleRuns(on, 1_000, after), ['schedule_runs_open', 'schedule_runs_pkey']],
    ] satisfies [Parameters<typeof sentBy>[0], string[]][]) {
      const [statement] = await sentBy(send);
      if (statement === undefined) throw new Error('nothing was sent');
      const plan = await planOf(bed.admin, 'force_generic_plan', statement);
      // Runs themselves are few here.
      expect(plan.seqScans.filter((table) => table !== 'runs')).toEqual([]);
      expect(plan.indexes).toEqual(expect.arrayContaining(indexes));
    }
  });
});
