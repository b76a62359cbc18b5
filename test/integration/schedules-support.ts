/** Schedules over a real Postgres: an engine whose runs nobody executes unless a test starts a worker. */
import { createPool, getSchedule } from '@spine/database';
import type { Pool, ScheduleRecord } from '@spine/database';
import { createEngine, HandlerRegistry, MemoryHintQueue, registerBuiltinHandlers } from '@spine/execution';
import type { Engine, EngineOptions } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { ScheduleManager, tick } from '@spine/scheduling';
import type { ScheduleInput, TickResult, TradingCalendar, TradingCalendars } from '@spine/scheduling';
import { createTestDatabase } from '@spine/testing';

export interface ScheduleBed {
  readonly engine: Engine;
  readonly manager: ScheduleManager;
  /** As the owner of the tables. */
  readonly admin: Pool;
  readonly databaseUrl: string;
  readonly calendars: TradingCalendars;
  create(input: Partial<ScheduleInput>): Promise<ScheduleRecord>;
  /** Puts a schedule's next time so many seconds into the past. */
  makeDue(schedule: ScheduleRecord, seconds?: number): Promise<void>;
  tick(batch?: number): Promise<TickResult>;
  rows(schedule: ScheduleRecord): Promise<HistoryRow[]>;
  reload(schedule: ScheduleRecord): Promise<ScheduleRecord>;
  close(): Promise<void>;
}

export interface HistoryRow {
  readonly fire_at: Date;
  readonly origin: string;
  readonly status: string;
  readonly skip_reason: string | null;
  readonly occurrences: number;
  readonly run_id: string | null;
  readonly run_status: string | null;
}

const weekdays: TradingCalendar = {
  exchange: 'TEST',
  isTradingDay: (date) => ![0, 6].includes(new Date(`${date}T00:00:00Z`).getUTCDay()),
};

export interface ScheduleBedOptions {
  /** Schedules that may fire more often than once a minute. */
  readonly quota?: number;
  readonly payloads?: EngineOptions['payloads'];
}

export async function openSchedules({ quota, payloads }: ScheduleBedOptions = {}): Promise<ScheduleBed> {
  const database = await createTestDatabase();
  const databaseUrl = database.connectionString;
  const admin = createPool({ connectionString: databaseUrl, role: null, max: 3 });
  const engine = await createEngine({
    databaseUrl,
    redisUrl: null,
    registry: registerBuiltinHandlers(new HandlerRegistry()),
    logger: silentLogger(),
    metrics: new Metrics('schedules-test'),
    service: 'schedules-test',
    queue: new MemoryHintQueue(),
    ...(payloads === undefined ? {} : { payloads }),
  });
  const calendars = new Map([['TEST', weekdays]]);
  const manager = new ScheduleManager({
    ...engine,
    calendars,
    ...(quota === undefined ? {} : { frequentQuota: quota }),
  });
  let names = 0;
  return {
    engine,
    manager,
    admin,
    databaseUrl,
    calendars,
    create: async (input) => {
      const written = await manager.create(
        {
          name: `schedule ${(names += 1)}`,
          scheduleType: 'interval',
          intervalSeconds: 3_600,
          work: { kind: 'task', name: 'echo' },
          ...input,
        },
        { by: 'test' },
      );
      if (written.type !== 'written') throw new Error(`not created: ${written.type}`);
      return written.schedule;
    },
    makeDue: async ({ scheduleId }, seconds = 0) => {
      await admin.query(
        `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now() - $2 * interval '1 second'), state = 'active',
           interval_anchor = CASE WHEN schedule_type = 'interval' THEN date_trunc('milliseconds', now() - $2 * interval '1 second') END,
           run_at = CASE WHEN schedule_type = 'date' THEN date_trunc('milliseconds', now() - $2 * interval '1 second') END
         WHERE schedule_id = $1`,
        [scheduleId, seconds],
      );
    },
    tick: (batch) => tick({ ...engine, calendars, by: 'test', ...(batch === undefined ? {} : { batch }) }),
    rows: async ({ scheduleId }) => {
      const { rows } = await admin.query<HistoryRow>(
        'SELECT * FROM schedule_runs WHERE schedule_id = $1 ORDER BY fire_at, origin',
        [scheduleId],
      );
      return rows;
    },
    reload: async ({ scheduleId }) => {
      const schedule = await getSchedule(engine.db, scheduleId);
      if (schedule === null) throw new Error('the schedule is gone');
      return schedule;
    },
    close: async () => {
      await engine.close();
      await admin.end();
      await database.drop();
    },
  };
}
