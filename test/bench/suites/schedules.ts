/** What a tick costs: with few and with many schedules, without and with a long history, with nothing and with much due. */
import { createEngine, HandlerRegistry, MemoryHintQueue, registerBuiltinHandlers } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import type { Pool } from '@spine/database';
import { tick } from '@spine/scheduling';
import { openLab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { latencyOf, median } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

const MANY = 100_000;
const FEW = 1_000;
const DUE = 1_000;
const HISTORY = 1_000_000;
const IDLE_TICKS = 200;

interface Cost {
  readonly title: string;
  /** Milliseconds until all that was due was decided, by repetition. */
  readonly due: readonly number[];
  /** Milliseconds of ticks that find nothing. */
  readonly idle: readonly number[];
}

/** Due in a day, so that only what is made due is. */
async function addSchedules(admin: Pool, from: number, to: number): Promise<void> {
  await admin.query(
    `INSERT INTO schedules (schedule_id, name, state, target_kind, target_name, work, schedule_type, cron_expression,
       timezone, misfire_policy, misfire_grace_seconds, catch_up_limit, catch_up_spacing_seconds, catch_up_lane,
       overlap_policy, max_instances, frequent, next_fire_at, created_by)
     SELECT gen_random_uuid(), 'bench ' || i, 'active', 'task', 'noop', '{"kind":"task","name":"noop","params":{}}', 'cron',
       '0 3 * * *', 'America/New_York', 'fire_once', 60, 10, 1, 'backfill', 'skip', 1, false,
       now() + interval '1 day' + i * interval '1 second', 'bench'
     FROM generate_series($1::integer, $2::integer - 1) AS i`,
    [from, to],
  );
  await admin.query('VACUUM ANALYZE schedules');
}

async function addHistory(admin: Pool): Promise<void> {
  await admin.query(
    `INSERT INTO schedule_runs (schedule_id, fire_at, through_at, origin, status, run_id, late_ms, decided_by, run_status, ended_at)
     SELECT schedule_id, at, at, 'schedule', 'FIRED', gen_random_uuid(), 5, 'bench', 'completed', at
     FROM (SELECT schedule_id, now() - d * interval '1 day' AS at
           FROM schedules CROSS JOIN generate_series(1, $1::integer) AS d) AS past`,
    [HISTORY / MANY],
  );
  await admin.query('VACUUM ANALYZE schedule_runs');
}

async function makeDue(admin: Pool): Promise<void> {
  await admin.query(
    `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now()) - interval '1 second'
     WHERE schedule_id IN (SELECT schedule_id FROM schedules ORDER BY schedule_id LIMIT $1)`,
    [DUE],
  );
}

async function measure(title: string, engine: Engine, admin: Pool, repetitions: number): Promise<Cost> {
  const dependencies = { ...engine, calendars: new Map(), by: 'bench' };
  const due: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    await admin.query('TRUNCATE runs, run_events');
    await admin.query(`DELETE FROM schedule_runs WHERE decided_by = 'bench' AND run_status IS NULL`);
    await makeDue(admin);
    let decided = 0;
    const from = performance.now();
    for (let more = true; more;) {
      const result = await tick(dependencies);
      decided += result.decisions.length;
      more = result.more;
    }
    due.push(performance.now() - from);
    const { rows } = await admin.query<{ n: number }>('SELECT count(*) AS n FROM runs');
    if (decided !== DUE || rows[0]?.n !== DUE)
      throw new VoidMeasurementError(
        `${DUE} schedules were due, ${decided} decided, ${rows[0]?.n} runs stored`,
      );
  }
  const idle: number[] = [];
  for (let count = 0; count < IDLE_TICKS; count += 1) {
    const from = performance.now();
    await tick(dependencies);
    idle.push(performance.now() - from);
  }
  return { title, due, idle };
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  const engine = await createEngine({
    databaseUrl: lab.databaseUrl,
    redisUrl: null,
    registry: registerBuiltinHandlers(new HandlerRegistry()),
    logger: silentLogger(),
    metrics: new Metrics('bench'),
    service: 'bench',
    queue: new MemoryHintQueue(),
  });
  try {
    const costs: Cost[] = [];
    const step = async (title: string): Promise<void> => {
      say(`  ${title}`);
      costs.push(await measure(title, engine, lab.admin, options.repetitions));
    };
    await addSchedules(lab.admin, 0, FEW);
    await step(`${number(FEW)} schedules, no history`);
    await addSchedules(lab.admin, FEW, MANY);
    await step(`${number(MANY)} schedules, no history`);
    await addHistory(lab.admin);
    await step(`${number(MANY)} schedules, ${number(HISTORY)} rows of history`);
    const [small, , large] = costs;
    if (small === undefined || large === undefined) throw new VoidMeasurementError('nothing was measured');
    const whole = median(large.due);
    return {
      suite: 'schedules',
      title: `Ticks with ${number(DUE)} of up to ${number(MANY)} schedules due`,
      tables: [
        {
          columns: ['', `${number(DUE)} due, median`, 'a schedule', 'nothing due, p50', 'nothing due, p99'],
          rows: costs.map(({ title, due, idle }) => {
            const { p50, p99 } = latencyOf(idle);
            const all = median(due);
            return [
              title,
              `${number(all)} ms`,
              `${number((all * 1_000) / DUE)} µs`,
              `${number(p50)} ms`,
              `${number(p99)} ms`,
            ];
          }),
        },
      ],
      figures: [
        {
          name: `${number(DUE)} due, against ${number(FEW)} schedules without history`,
          value: whole / median(small.due),
          unit: 'x',
          target: { at: 'most', value: 1.5 },
        },
        { name: 'occurrences decided', value: (DUE * 1_000) / whole, unit: '/s' },
        {
          name: 'nothing due, against the same',
          value: latencyOf(large.idle).p50 / latencyOf(small.idle).p50,
          unit: 'x',
          target: { at: 'most', value: 1.5 },
        },
      ],
      notes: [
        `Each occurrence is a row of history, a run with its event and a move of its schedule, 200 schedules a transaction, each a durable commit. ` +
          `After each repetition ${number(DUE)} runs were counted. ${options.repetitions} repetitions, ${IDLE_TICKS} ticks with nothing due.`,
      ],
    };
  } finally {
    await engine.close();
    await lab.close();
  }
}

export const schedulesSuite: Suite = {
  name: 'schedules',
  about: `what a tick costs with ${number(MANY)} schedules and a long history`,
  run,
};
