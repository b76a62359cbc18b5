/** What a tick stores, and that it stores it once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeEndedScheduleRuns, DUE_SQL, getRun, LAG_SQL, STATUS_SQL } from '@spine/database';
import { createEngine, HandlerRegistry, MemoryHintQueue } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { tick } from '@spine/scheduling';
import { planOf } from './plan-support.ts';
import { openSchedules } from './schedules-support.ts';
import type { ScheduleBed } from './schedules-support.ts';

let bed: ScheduleBed;
beforeAll(async () => {
  bed = await openSchedules();
});
afterAll(() => bed.close());

const statuses = async (schedule: Parameters<ScheduleBed['rows']>[0]): Promise<string[]> =>
  (await bed.rows(schedule)).map(
    ({ status, skip_reason: reason, occurrences }) =>
      `${status}${reason === null ? '' : ` ${reason}`}${occurrences === 1 ? '' : ` x${occurrences}`}`,
  );

describe('a tick', () => {
  it('stores the run, the history and the next time together', async () => {
    const schedule = await bed.create({
      work: { kind: 'task', name: 'echo', params: { at: '{{ fire_time }}' }, tags: ['daily'], lane: 'slow' },
    });
    await bed.makeDue(schedule, 5);
    const due = await bed.reload(schedule);
    const { decisions, more } = await bed.tick();
    expect(more).toBe(false);
    expect(decisions.map(({ status }) => status)).toEqual(['FIRED']);
    const [row] = await bed.rows(schedule);
    const run = await getRun(bed.engine.db, row?.run_id ?? '');
    const fireAt = due.nextFireAt?.toISOString();
    expect(run).toMatchObject({
      kind: 'task',
      name: 'echo',
      lane: 'slow',
      tags: ['daily'],
      triggerSource: 'schedule',
      params: { at: fireAt },
      metadata: { schedule_id: schedule.scheduleId, fire_at: fireAt, schedule_origin: 'schedule' },
      correlationId: `schedule:${schedule.scheduleId}:${fireAt}`,
    });
    const moved = await bed.reload(schedule);
    expect(moved.lastFireAt).toEqual(due.nextFireAt);
    expect((moved.nextFireAt?.getTime() ?? 0) - (due.nextFireAt?.getTime() ?? 0)).toBe(3_600_000);
    expect((await bed.tick()).now).toBeNull();
  });

  it('decides nothing twice, however many do it at once', async () => {
    const schedules = await Promise.all(Array.from({ length: 40 }, () => bed.create({})));
    await Promise.all(schedules.map((schedule) => bed.makeDue(schedule, 1)));
    const rounds = await Promise.all(Array.from({ length: 6 }, () => bed.tick(10)));
    const later = await bed.tick();
    const decided = [...rounds, later].flatMap(({ decisions }) =>
      decisions.map(({ scheduleId }) => scheduleId),
    );
    expect(decided.sort()).toEqual(schedules.map(({ scheduleId }) => scheduleId).sort());
    for (const schedule of schedules) expect(await statuses(schedule)).toEqual(['FIRED']);
  });

  it('refuses a decision that was made before, and starts no run for it', async () => {
    const schedule = await bed.create({});
    await bed.makeDue(schedule, 1);
    const { nextFireAt } = await bed.reload(schedule);
    await bed.tick();
    // As if the move had not been written.
    await bed.admin.query('UPDATE schedules SET next_fire_at = $2 WHERE schedule_id = $1', [
      schedule.scheduleId,
      nextFireAt,
    ]);
    const again = await bed.tick();
    expect(again.decisions).toEqual([]);
    const { rows } = await bed.admin.query(`SELECT 1 FROM runs WHERE metadata->>'schedule_id' = $1`, [
      schedule.scheduleId,
    ]);
    expect(rows).toHaveLength(1);
  });

  it('leaves everything as it was when it cannot commit', async () => {
    const schedule = await bed.create({});
    await bed.makeDue(schedule, 1);
    const before = await bed.reload(schedule);
    await bed.admin.query(`CREATE FUNCTION no_moves() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no moves'; END $$;
      CREATE TRIGGER no_moves BEFORE UPDATE OF next_fire_at ON schedules FOR EACH ROW EXECUTE FUNCTION no_moves()`);
    await expect(bed.tick()).rejects.toThrow('no moves');
    await bed.admin.query('DROP FUNCTION no_moves CASCADE');
    expect(await bed.rows(schedule)).toEqual([]);
    expect(await bed.reload(schedule)).toEqual(before);
    await bed.tick();
    expect(await statuses(schedule)).toEqual(['FIRED']);
  });

  it('completes what has no time left', async () => {
    const schedule = await bed.create({
      scheduleType: 'date',
      intervalSeconds: undefined,
      runAt: new Date(Date.now() + 3_600_000),
    });
    await bed.makeDue(schedule, 1);
    await bed.tick();
    expect(await bed.reload(schedule)).toMatchObject({ state: 'completed', nextFireAt: null });
    expect(await statuses(schedule)).toEqual(['FIRED']);
  });

  it('pauses a schedule that it cannot decide about, and goes on with the others', async () => {
    const broken = await bed.create({});
    const sound = await bed.create({});
    await bed.admin.query(`UPDATE schedules SET work = '{"kind":"dance"}' WHERE schedule_id = $1`, [
      broken.scheduleId,
    ]);
    await bed.makeDue(broken, 1);
    await bed.makeDue(sound, 1);
    await bed.tick();
    expect(await statuses(sound)).toEqual(['FIRED']);
    expect(await statuses(broken)).toEqual([]);
    const paused = await bed.reload(broken);
    expect(paused.state).toBe('paused');
    expect(paused.pausedReason).toContain('holds a spec that is none: kind');
  });

  it('decides what is due when the calendar ends, and pauses the schedule then', async () => {
    const last = await bed.create({
      scheduleType: 'calendar',
      intervalSeconds: undefined,
      calendarRule: { exchange: 'TEST', period: 'month', nth: -1, at: '16:30' },
    });
    await bed.admin.query(
      `UPDATE schedules SET calendar_rule = jsonb_set(calendar_rule, '{exchange}', '"GONE"') WHERE schedule_id = $1`,
      [last.scheduleId],
    );
    await bed.makeDue(last, 1);
    const { broken } = await bed.tick();
    expect(await statuses(last)).toEqual(['FIRED']);
    expect(broken.map(({ scheduleId }) => scheduleId)).toEqual([last.scheduleId]);
    const paused = await bed.reload(last);
    expect(paused).toMatchObject({ state: 'paused', nextFireAt: null });
    expect(paused.pausedReason).toContain('"GONE" is not a known calendar; known are TEST');
  });

  it('fires also while nobody can say who the workers are', async () => {
    const schedule = await bed.create({ work: { kind: 'task', name: 'nobody.knows' } });
    await bed.makeDue(schedule, 1);
    // A process that has just started remembers no answer of before.
    const fresh = await createEngine({
      databaseUrl: bed.databaseUrl,
      redisUrl: null,
      registry: new HandlerRegistry(),
      logger: silentLogger(),
      metrics: new Metrics('schedules-test'),
      service: 'schedules-test',
      queue: new MemoryHintQueue(),
    });
    await bed.admin.query('ALTER TABLE workers RENAME TO workers_away');
    try {
      await tick({ ...fresh, calendars: bed.calendars, by: 'test' });
    } finally {
      await bed.admin.query('ALTER TABLE workers_away RENAME TO workers');
      await fresh.close();
    }
    expect(await statuses(schedule)).toEqual(['FIRED']);
    expect((await bed.reload(schedule)).state).toBe('active');
  });

  it('says why an occurrence whose params the handler refuses did not start', async () => {
    const schedule = await bed.create({ work: { kind: 'task', name: 'sleep', params: { seconds: 1 } } });
    await bed.admin.query(
      `UPDATE schedules SET work = jsonb_set(work, '{params,seconds}', '"soon"') WHERE schedule_id = $1`,
      [schedule.scheduleId],
    );
    await bed.makeDue(schedule, 1);
    await bed.tick();
    expect((await statuses(schedule))[0]).toMatch(/^SKIPPED invalid params/);
  });
});

describe('late occurrences', () => {
  it('are missed in one row, or made up for in their own lane', async () => {
    const every = { intervalSeconds: 60, misfireGraceSeconds: 30 };
    const skip = await bed.create({ ...every, misfirePolicy: 'skip' });
    const once = await bed.create({ ...every, misfirePolicy: 'fire_once' });
    const all = await bed.create({
      ...every,
      misfirePolicy: 'catch_up',
      catchUpLimit: 3,
      catchUpSpacingSeconds: 20,
      catchUpLane: 'slow',
    });
    for (const schedule of [skip, once, all]) await bed.makeDue(schedule, 585);
    await bed.tick();
    expect(await statuses(skip)).toEqual(['MISSED x10']);
    expect(await statuses(once)).toEqual(['MISSED x9', 'FIRED']);
    expect(await statuses(all)).toEqual(['MISSED x7', 'FIRED', 'FIRED', 'FIRED']);
    const { rows } = await bed.admin.query<{ lane: string; wait: number }>(
      `SELECT lane, round(extract(epoch FROM available_at - created_at))::int AS wait FROM runs
       WHERE metadata->>'schedule_id' = $1 ORDER BY available_at`,
      [all.scheduleId],
    );
    expect(rows).toEqual([
      { lane: 'slow', wait: 0 },
      { lane: 'slow', wait: 20 },
      { lane: 'slow', wait: 40 },
    ]);
  });

  it('are decided in steps when there are thousands', async () => {
    const schedule = await bed.create({
      intervalSeconds: 1,
      misfirePolicy: 'fire_once',
      misfireGraceSeconds: 5,
      overlapPolicy: 'allow',
    });
    await bed.makeDue(schedule, 3_500.5);
    let looks = 0;
    for (let more = true; more; looks += 1) ({ more } = await bed.tick());
    expect(looks).toBeGreaterThan(1);
    const rows = await bed.rows(schedule);
    const late = rows.filter(({ status }) => status === 'MISSED');
    expect(rows.at(-1)?.status).toBe('FIRED');
    expect(late.length).toBeLessThanOrEqual(looks);
    // Each of them once: none left out, none twice.
    const total = rows.reduce((sum, { occurrences }) => sum + occurrences, 0);
    const { lastFireAt } = await bed.reload(schedule);
    const first = rows[0]?.fire_at.getTime() ?? 0;
    expect(total).toBe(((lastFireAt?.getTime() ?? 0) - first) / 1_000 + 1);
  });
});

describe('overlap', () => {
  const fireTwice = async (overlapPolicy: 'allow' | 'skip' | 'queue' | 'cancel_existing') => {
    const schedule = await bed.create({ overlapPolicy });
    for (let round = 0; round < 2; round += 1) {
      await bed.makeDue(schedule, 2 - round);
      await bed.tick();
    }
    const { rows } = await bed.admin.query<{ status: string; gates: unknown }>(
      `SELECT status, gates FROM runs WHERE metadata->>'schedule_id' = $1 ORDER BY id`,
      [schedule.scheduleId],
    );
    return { schedule, runs: rows };
  };

  it('skip leaves out an occurrence while a run is active', async () => {
    const { schedule } = await fireTwice('skip');
    expect(await statuses(schedule)).toEqual(['FIRED', 'SKIPPED overlap']);
  });

  it('allow starts it anyway', async () => {
    const { schedule, runs } = await fireTwice('allow');
    expect(await statuses(schedule)).toEqual(['FIRED', 'FIRED']);
    expect(runs.map(({ gates }) => gates)).toEqual([null, null]);
  });

  it('queue gives the run a gate', async () => {
    const { schedule, runs } = await fireTwice('queue');
    expect(await statuses(schedule)).toEqual(['FIRED', 'FIRED']);
    expect(JSON.stringify(runs[1]?.gates)).toContain(`schedule:${schedule.scheduleId}`);
  });

  it('cancel_existing cancels the run that is active', async () => {
    const { schedule, runs } = await fireTwice('cancel_existing');
    expect(await statuses(schedule)).toEqual(['FIRED', 'FIRED']);
    expect(runs.map(({ status }) => status)).toEqual(['cancelled', 'queued']);
  });

  it('forgets runs that have ended', async () => {
    const { schedule } = await fireTwice('skip');
    await bed.admin.query(
      `UPDATE runs SET status = 'cancelled', completed_at = now(), dispatch_after = NULL, epoch = epoch + 1
       WHERE metadata->>'schedule_id' = $1`,
      [schedule.scheduleId],
    );
    await bed.makeDue(schedule, 0);
    await bed.tick();
    expect((await statuses(schedule)).at(-1)).toBe('FIRED');
    while ((await closeEndedScheduleRuns(bed.engine.pool, 1_000)).next !== null);
    expect((await bed.rows(schedule)).map(({ run_status: status }) => status)).toEqual([
      'cancelled',
      null,
      null,
    ]);
  });
});

describe('the cost of a tick', () => {
  it('is one walk of the index of what is due, with 30,000 schedules that are not', async () => {
    await bed.admin
      .query(`INSERT INTO schedules (schedule_id, name, state, target_kind, target_name, work, schedule_type,
        interval_seconds, interval_anchor, timezone, misfire_policy, misfire_grace_seconds, catch_up_limit,
        catch_up_spacing_seconds, catch_up_lane, overlap_policy, max_instances, frequent, next_fire_at, created_by)
      SELECT gen_random_uuid(), 'idle ' || i, 'active', 'task', 'echo', '{"kind":"task","name":"echo"}', 'interval', 86400,
        now(), 'UTC', 'skip', 60, 10, 1, 'backfill', 'allow', 1, false, now() + interval '1 day' + i * interval '1 second', 'test'
      FROM generate_series(1, 30000) AS i`);
    await bed.admin.query('ANALYZE schedules');
    for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
      const plan = await planOf(bed.admin, mode, { text: DUE_SQL, values: [200] });
      expect(plan).toMatchObject({ seqScans: [], indexes: ['schedules_due'] });
    }
    const lag = await planOf(bed.admin, 'force_generic_plan', { text: LAG_SQL, values: [] });
    expect(lag).toMatchObject({ seqScans: [], indexes: ['schedules_due', 'schedules_due'] });
    const status = await planOf(bed.admin, 'force_generic_plan', { text: STATUS_SQL, values: [] });
    expect(status.indexes).toEqual(expect.arrayContaining(['schedules_paused', 'schedule_runs_pkey']));
  });
});
