/** Calendars loaded by runs: captures, versions, what was known when, and disagreements with the rules. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parsePlainDate } from '@spine/core';
import { createPool, manifestOf } from '@spine/database';
import type { Pool } from '@spine/database';
import { createEngine, HandlerRegistry, MemoryHintQueue, operationSpec, Worker } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import {
  CALENDAR_DOMAIN,
  LOAD_CALENDAR,
  loadCalendar,
  registerReferenceCalendar,
} from '@spine/reference-calendar';
import type { LoadCalendarResult } from '@spine/reference-calendar';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const fixtures = resolve(import.meta.dirname, '../../libs/domains/reference-calendar/fixtures');
const own = mkdtempSync(join(tmpdir(), 'spine-calendar-'));
const FILE = 'holidays_xnys_2026.json';

let database: TestDatabase;
let engine: Engine;
let worker: Worker;
let owner: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.connectionString, role: null });
  engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl: null,
    registry: registerReferenceCalendar(new HandlerRegistry(), { dataRoots: [fixtures, own] }).check(),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'test',
    queue: new MemoryHintQueue(),
  });
  worker = new Worker({ ...engine, lanes: ['default'], heartbeatMs: 100 });
  await worker.start();
});

afterAll(async () => {
  await worker.stop();
  await engine.close();
  await owner.end();
  await database.drop();
  rmSync(own, { recursive: true });
});

beforeEach(() =>
  owner.query('TRUNCATE reference_calendar_captures, reference_calendar_days, manifest, anomalies'),
);

async function execute(file_path: string) {
  const done = await engine.dispatcher.submitAndWait(
    operationSpec(LOAD_CALENDAR, { file_path }, { correlationId: 'batch-1' }),
  );
  if (done.type !== 'run') throw new Error(`not accepted: ${JSON.stringify(done)}`);
  return done.run;
}

async function load(file_path: string): Promise<LoadCalendarResult & { readonly runId: string }> {
  const run = await execute(file_path);
  expect(run).toMatchObject({ status: 'completed', attempt: 1 });
  return { ...(run.result as LoadCalendarResult), runId: run.runId };
}

interface Day {
  readonly date: string;
  readonly name: string;
  readonly type: string;
  readonly close_time?: string;
}

/** The file of 2026 with other days. */
function write(name: string, change: (days: readonly Day[]) => readonly Day[]): string {
  const given = JSON.parse(readFileSync(join(fixtures, FILE), 'utf8')) as {
    readonly holidays: readonly Day[];
  };
  writeFileSync(join(own, name), JSON.stringify({ ...given, holidays: change(given.holidays) }));
  return name;
}

async function query<R extends object>(text: string): Promise<R[]> {
  return (await owner.query<R>(text)).rows;
}

const date = parsePlainDate;

describe('a calendar file', () => {
  it('is captured with its days, its run and its manifest', async () => {
    const result = await load(FILE);
    expect(result).toMatchObject({
      exchange_code: 'XNYS',
      year: 2026,
      outcome: 'captured',
      capture_id: 'reference.calendar:XNYS:2026:v1',
      version: 1,
      days: 10,
      disagreements: [],
    });
    expect(
      await query(
        'SELECT capture_id, version, source_file, source_sha256, run_id, batch_id FROM reference_calendar_captures',
      ),
    ).toEqual([
      {
        capture_id: result.capture_id,
        version: 1,
        source_file: FILE,
        source_sha256: result.file_sha256,
        run_id: result.runId,
        batch_id: 'batch-1',
      },
    ]);
    expect(
      await query(
        `SELECT date::text, name, type, close_time FROM reference_calendar_days WHERE date = '2026-07-03'`,
      ),
    ).toEqual([
      { date: '2026-07-03', name: 'Independence Day (observed)', type: 'market_holiday', close_time: null },
    ]);
    const stages = await manifestOf(engine.db, CALENDAR_DOMAIN, { exchange_code: 'XNYS', year: 2026 });
    expect(stages).toMatchObject([
      { stage: 'LOADED', rowCount: 10, runId: result.runId, metrics: { capture_id: result.capture_id } },
    ]);
    expect(await query('SELECT * FROM anomalies')).toEqual([]);
  });

  it('that says the same again is the same capture', async () => {
    await load(FILE);
    expect(await load(write('reversed.json', (days) => days.toReversed()))).toMatchObject({
      outcome: 'unchanged',
      capture_id: 'reference.calendar:XNYS:2026:v1',
    });
    expect(await query('SELECT capture_id FROM reference_calendar_captures')).toHaveLength(1);
  });

  it('that says something else is the next version, also when it goes back to the first', async () => {
    await load(FILE);
    const changed = write('changed.json', (days) => days.slice(1));
    expect(await load(changed)).toMatchObject({ outcome: 'captured', version: 2 });
    expect(await load(FILE)).toMatchObject({ outcome: 'captured', version: 3 });
    expect(
      await query(
        'SELECT version, count(*)::int AS days FROM reference_calendar_captures JOIN reference_calendar_days USING (capture_id) GROUP BY version ORDER BY version',
      ),
    ).toEqual([
      { version: 1, days: 10 },
      { version: 2, days: 9 },
      { version: 3, days: 10 },
    ]);
  });

  it('loaded twice at once is captured once', async () => {
    const outcomes = await Promise.all([load(FILE), load(FILE), load(FILE)]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['captured', 'unchanged', 'unchanged']);
  });

  it('that disagrees with the rules is loaded, and the disagreement recorded once', async () => {
    const file = write('moved.json', (days) =>
      days.map((day) => (day.date === '2026-07-03' ? { ...day, date: '2026-07-06' } : day)),
    );
    const { capture_id, runId, disagreements } = await load(file);
    expect(disagreements?.map((each) => each.date)).toEqual(['2026-07-03', '2026-07-06']);
    await load(file);
    expect(
      await query(
        `SELECT domain, stage, partition_key, severity, category, message, run_id, metadata->>'capture_id' AS capture_id
         FROM anomalies`,
      ),
    ).toEqual([
      {
        domain: CALENDAR_DOMAIN,
        stage: 'LOADED',
        partition_key: '{"exchange_code":"XNYS","year":2026}',
        severity: 'WARN',
        category: 'DATA_QUALITY',
        message: 'moved.json and the rules of XNYS disagree on 2 days of 2026',
        run_id: runId,
        capture_id,
      },
    ]);
  });

  it.each([
    ['empty.json', '', 'ParseError'],
    ['broken.json', '{"exchange_code": "XNYS"', 'ParseError'],
    [
      'other.json',
      '{"exchange_code":"XLON","year":2026,"holidays":[{"date":"2026-01-01","name":"n","type":"market_holiday"}]}',
      'ParseError',
    ],
    ['binary.json', '\0\uFFFD', 'ParseError'],
    ['large.json', ' '.repeat(1024 * 1024 + 1), 'ValidationError'],
  ])('that is none is refused whole: %s', async (name, content, type) => {
    writeFileSync(join(own, name), content);
    expect(await execute(name)).toMatchObject({ status: 'dead_lettered', attempt: 1, error: { type } });
    expect(await query('SELECT * FROM reference_calendar_captures')).toEqual([]);
    expect(await query('SELECT * FROM manifest')).toEqual([]);
  });

  it('outside the data roots is not looked at', async () => {
    expect(await execute('/etc/passwd')).toMatchObject({ error: { type: 'ValidationError' } });
  });
});

describe('the calendar of an exchange', () => {
  it('is that of the rules where nothing is loaded', async () => {
    const { calendar, provenance } = await loadCalendar(engine.db, 'XNYS');
    expect(calendar.isTradingDay(date('2026-07-03'))).toBe(false);
    expect(provenance).toHaveLength(46);
    expect(provenance.every(({ captureId }) => captureId === null)).toBe(true);
  });

  it('is that of the newest file, or of the newest one then', async () => {
    await load(FILE);
    await load(write('open.json', (days) => days.filter((day) => day.date !== '2026-07-03')));
    const [second] = await query<{ at: Date }>(
      'SELECT captured_at AS at FROM reference_calendar_captures WHERE version = 2',
    );
    if (second === undefined) throw new Error('there is no second version');
    const now = await loadCalendar(engine.db, 'XNYS');
    expect(now.calendar.isTradingDay(date('2026-07-03'))).toBe(true);
    expect(now.provenance.find(({ year }) => year === 2026)).toEqual({
      year: 2026,
      captureId: 'reference.calendar:XNYS:2026:v2',
      sources: { market_holiday: 'loaded', special_closing: 'rules', early_close: 'rules' },
    });
    const then = await loadCalendar(engine.db, 'XNYS', new Date(second.at.getTime() - 1));
    expect(then.calendar.isTradingDay(date('2026-07-03'))).toBe(false);
    expect(then.provenance.find(({ year }) => year === 2026)?.captureId).toBe(
      'reference.calendar:XNYS:2026:v1',
    );
  });

  it('that nobody knows is refused', async () => {
    await expect(loadCalendar(engine.db, 'XLON')).rejects.toThrow(
      'exchange_code: "XLON" is not a known exchange; allowed are XNYS',
    );
  });
});

describe('the tables', () => {
  it.each([
    'UPDATE reference_calendar_captures SET year = 2000',
    'DELETE FROM reference_calendar_captures',
    'UPDATE reference_calendar_days SET name = name',
    'DELETE FROM reference_calendar_days',
  ])('can be appended to by the services, and not changed: %s', async (statement) => {
    await expect(engine.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it.each([
    [`('c', '2026-07-04', 'n', 'market_holiday', NULL)`, 'reference_calendar_days_weekday'],
    [`('c', '2026-07-03', '', 'market_holiday', NULL)`, 'reference_calendar_days_name'],
    [`('c', '2026-07-03', 'n', 'bank_holiday', NULL)`, 'reference_calendar_days_type'],
    [`('c', '2026-07-03', 'n', 'early_close', NULL)`, 'reference_calendar_days_close'],
    [`('c', '2026-07-03', 'n', 'market_holiday', '13:00')`, 'reference_calendar_days_close'],
    [`('c', '2026-07-03', 'n', 'early_close', '1 pm')`, 'reference_calendar_days_close'],
    [`('c', '2026-07-03', 'n', 'market_holiday', NULL)`, 'reference_calendar_days_capture_id_fkey'],
  ])('refuse %s', async (values, constraint) => {
    await expect(query(`INSERT INTO reference_calendar_days VALUES ${values}`)).rejects.toMatchObject({
      constraint,
    });
  });
});
