/** Every example on the durable driver, from its params to the rows it leaves. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getBackfill, getBreaker, getDeadLettersOfRuns, getSchedule, listAnomalies } from '@spine/database';
import type { RunRecord } from '@spine/database';
import {
  DEBUG_PIPELINE,
  EDGAR_BREAKER,
  EXAMPLES,
  FILINGS_DOMAIN,
  flakyFilings,
  INGEST_DAY,
  installDailyReport,
  loopbackFilings,
  PAYMENTS_DOMAIN,
  registerExamples,
  SEC_DOMAIN,
  STORE_PAYMENT,
} from '@spine/examples';
import type { FilingSource } from '@spine/examples';
import { Backfills, createBackfillPump, operationSpec, workflowSpec } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import {
  DefinitionVersions,
  TrackedWorkflowRunner,
  WorkflowDriver,
  WorkflowRegistry,
} from '@spine/orchestration';
import { ScheduleManager } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { leftovers } from './workflow-support.ts';

const LANE = 'examples';
/** Where I5 fetches from; its test has it fetch from a server. */
let source: FilingSource = flakyFilings;
let bed: Bed;
let driver: WorkflowDriver;
/** By example, once it has run with its own params. */
const first = new Map<string, RunRecord>();

const specOf = (kind: 'workflow' | 'operation', name: string, params: Record<string, unknown>): WorkSpec =>
  (kind === 'workflow' ? workflowSpec : operationSpec)(name, params, { lane: LANE, retryDelaySeconds: 0 });

const start = (name: string, params: Record<string, unknown>, kind: 'workflow' | 'operation' = 'workflow') =>
  bed.submit(specOf(kind, name, params));

const run = async (
  name: string,
  params: Record<string, unknown>,
  status: RunRecord['status'] = 'completed',
): Promise<RunRecord> => bed.reach(await start(name, params), status);

function resultOf(name: string): unknown {
  const record = first.get(name);
  if (record === undefined) throw new Error(`${name} has not run`);
  return record.result;
}

async function one(text: string, values: readonly unknown[] = []): Promise<unknown> {
  const { rows } = await bed.admin.query<Record<string, unknown>>(text, [...values]);
  return rows[0];
}

beforeAll(async () => {
  const workflows = new WorkflowRegistry();
  bed = await openBed({
    queue: 'memory',
    register: (handlers) => {
      registerExamples(handlers, workflows, {
        filings: { fetch: (request, signal) => source.fetch(request, signal) },
      });
      workflows.registerHandlers(handlers);
    },
  });
  driver = new WorkflowDriver({
    ...bed.engine,
    definitions: new DefinitionVersions(),
    logger: silentLogger(),
    pollMs: 25,
  });
  await bed.startWorker(LANE, { onEnded: () => driver.wake() });
  driver.start();
  const runIds = await Promise.all(
    EXAMPLES.map(async ({ name, run: { kind, name: runName, params } }) => {
      return [name, await start(runName, params, kind)] as const;
    }),
  );
  for (const [name, runId] of runIds) first.set(name, await bed.reach(runId, 'completed'));
});
afterAll(async () => {
  await driver.stop();
  await bed.close();
});

it('all run to their ends, and leave nothing behind', async () => {
  expect([...first.keys()]).toEqual(EXAMPLES.map(({ name }) => name));
  expect(await leftovers(bed.admin)).toEqual([]);
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
});

it('that need no database answer what they answer in memory', () => {
  expect(resultOf('examples.b1_hello_world')).toMatchObject({ shout: { shouted: 'HELLO, SPINE!' } });
  expect(resultOf('examples.b3_multi_source_merge')).toMatchObject({ merge: { consensus_eps: '2.355' } });
  expect(resultOf('examples.b5_feature_flags')).toMatchObject({ store: { parser: 'v2' } });
  expect(resultOf('examples.i2_portfolio_analysis')).toMatchObject({ aggregate: { total_pnl: '205838' } });
  expect(resultOf('examples.a2_stock_split')).toMatchObject({ composite_factor: '224' });
  expect(resultOf('examples.m4_playground_debugging')).toMatchObject({
    run_now: 'completed',
    kept: ['fetch'],
  });
});

describe('B2', () => {
  const NAME = 'examples.b2_csv_loader';
  const params = { as_of: '2026-01-02', max_reject_percent: 10 };
  const rows = () =>
    one(`SELECT (SELECT count(*)::int FROM bitemporal_facts WHERE domain = 'examples.companies') AS facts,
      (SELECT string_agg(reason_code || ' ' || line_number, ',') FROM rejects WHERE domain = 'examples.companies') AS rejects,
      (SELECT row_count FROM manifest WHERE domain = 'examples.companies') AS row_count`);

  it('stores what is good, with its rejects, and the same file again changes nothing', async () => {
    expect(resultOf(NAME)).toMatchObject({ load: { inserted: 11, unchanged: 0, rejected: 1 } });
    const stored = { facts: 11, rejects: 'INVALID_CIK 10', row_count: 11 };
    expect(await rows()).toEqual(stored);
    expect((await run(NAME, params)).result).toMatchObject({ load: { inserted: 0, unchanged: 11 } });
    expect(await rows()).toEqual(stored);
  });

  it('stores nothing behind a shut gate, and says why', async () => {
    const before = await rows();
    const failed = await run(NAME, { ...params, max_reject_percent: 5 }, 'dead_lettered');
    expect(failed.error).toMatchObject({ category: 'DATA_QUALITY' });
    expect(await rows()).toEqual(before);
    const [anomaly] = (await listAnomalies(bed.engine.db, { domain: 'examples.companies' }, { limit: 10 }))
      .items;
    expect(anomaly).toMatchObject({ category: 'QUALITY_GATE', metadata: { checks: ['reject_rate'] } });
  });
});

describe('B4', () => {
  it('tells by an event, and its schedule is stored once, paused', async () => {
    const { runId } = first.get('examples.b4_daily_report') ?? { runId: '' };
    expect(resultOf('examples.b4_daily_report')).toMatchObject({
      notify: { told: true, total_pnl: '-4409' },
    });
    expect(
      await one(
        `SELECT e.data FROM run_events e JOIN runs r ON r.id = e.run_id
         WHERE r.parent_run_id = $1 AND e.event_type = 'daily_report_ready'`,
        [runId],
      ),
    ).toEqual({ data: { report_date: '2024-12-31', total_pnl: '-4409' } });
    const manager = new ScheduleManager({ ...bed.engine, calendars: new Map() });
    expect([await installDailyReport(manager), await installDailyReport(manager)]).toEqual([
      'installed',
      'there',
    ]);
    const schedule = (await one('SELECT schedule_id FROM schedules')) as { schedule_id: string };
    expect(await getSchedule(bed.engine.db, schedule.schedule_id)).toMatchObject({
      state: 'paused',
      nextFireAt: null,
      cronExpression: '0 18 * * 1-5',
    });
  });
});

describe('I1', () => {
  const NAME = 'examples.i1_sec_filing_etl';

  it('stores facts with their clocks, once', async () => {
    expect(resultOf(NAME)).toMatchObject({ store: { stored: 3, changed: 3, watermark: '2024-11-01' } });
    expect(
      await one(`SELECT value, valid_from, valid_to, event_time, publish_time, ingest_time > publish_time AS late
        FROM bitemporal_facts WHERE domain = 'examples.sec' AND fact_key = '0000320193:net_margin'`),
    ).toEqual({
      value: '0.2397',
      valid_from: new Date('2023-10-01T00:00:00Z'),
      valid_to: new Date('2024-09-29T00:00:00Z'),
      event_time: new Date('2024-09-28T00:00:00Z'),
      publish_time: new Date('2024-11-01T00:00:00Z'),
      late: true,
    });
    const again = await run(NAME, { cik: '0000320193', fiscal_year: 2024 });
    expect(again.result).toMatchObject({ store: { stored: 3, changed: 0 } });
  });

  it('runs once for a partition', async () => {
    const runner = new TrackedWorkflowRunner(bed.engine);
    const partition = { cik: '0000789019', fiscal_year: 2024 };
    const execute = (more: { readonly force?: boolean } = {}) =>
      runner.execute(NAME, { params: partition, partition, lane: LANE, ...more });
    const done = await execute();
    expect(done).toMatchObject({ status: 'completed', outputs: { store: { stored: 3, changed: 3 } } });
    expect(await execute()).toMatchObject({ status: 'skipped', because: done.run.runId });
    const forced = await execute({ force: true });
    expect(forced).toMatchObject({ status: 'completed', outputs: { store: { stored: 3, changed: 0 } } });
  });

  it('fails at the gate where a figure is missing, and stores nothing', async () => {
    const { error } = await run(NAME, { cik: '0001652044', fiscal_year: 2024 }, 'dead_lettered');
    expect(error).toMatchObject({
      category: 'DATA_QUALITY',
      message: expect.stringContaining('net_income') as string,
    });
    expect(
      await one(
        `SELECT count(*)::int AS facts FROM bitemporal_facts WHERE domain = $1 AND fact_key LIKE '0001652044%'`,
        [SEC_DOMAIN],
      ),
    ).toEqual({ facts: 0 });
  });
});

describe('I3', () => {
  const NAME = 'examples.i3_idempotent_backfill';

  it('does each day once: again, beside another, and as a backfill plan', async () => {
    expect(resultOf(NAME)).toMatchObject({ summary: { days: 9, ingested: 9, skipped: 0, records: 14 } });
    const done = () =>
      one(
        `SELECT count(*)::int AS days, sum(row_count)::int AS records, count(DISTINCT run_id)::int AS runs
        FROM manifest WHERE domain = $1`,
        [FILINGS_DOMAIN],
      );
    expect(await done()).toEqual({ days: 9, records: 14, runs: 9 });

    const wider = { from: '2025-01-09', to: '2025-01-12' };
    const both = await Promise.all([run(NAME, wider), run(NAME, wider)]);
    const summaries = both.map(({ result }) => (result as { summary: Record<string, number> }).summary);
    const sum = (field: string) => summaries.reduce((total, each) => total + (each[field] ?? 0), 0);
    // Two of the four days are new, and belong to one of the two runs each.
    expect([sum('ingested'), sum('skipped')]).toEqual([2, 6]);
    const stored = await done();
    expect(stored).toMatchObject({ days: 11, records: 14 });

    const other = await start(INGEST_DAY, { date: '2025-01-06', filings: [] }, 'operation');
    expect((await bed.reach(other, 'completed')).result).toMatchObject({ status: 'skipped', records: 4 });
    expect(await done()).toEqual(stored);

    const plan = await new Backfills(bed.engine).create({
      domain: FILINGS_DOMAIN,
      source: 'form-index',
      reason: 'MANUAL',
      partitionKeys: [{ date: '2025-01-06' }, { date: '2025-01-07' }],
      run: { kind: 'operation', name: INGEST_DAY, lane: LANE },
      createdBy: 'test',
    });
    await new Backfills(bed.engine).start(plan.backfillId);
    const pump = createBackfillPump({ ...bed.engine, everyMs: 25 });
    pump.start();
    await waitFor(async () => (await getBackfill(bed.engine.db, plan.backfillId))?.status === 'COMPLETED');
    await pump.stop();
    expect(await done()).toEqual(stored);
  });

  it('refuses a range that is none', async () => {
    const { error } = await run(NAME, { from: '2025-01-02', to: '2025-01-01' }, 'dead_lettered');
    expect(error).toMatchObject({
      category: 'VALIDATION',
      message: expect.stringContaining('params.to') as string,
    });
  });
});

describe('I4', () => {
  it('goes on without what its validation has found', async () => {
    expect(resultOf('examples.i4_yaml_workflow')).toEqual({
      form_type: '10-K',
      fetched: 3,
      validated: 'completed',
      stored: 3,
    });
    const { result } = await run('examples.i4_yaml_workflow', { form_type: '10-Q' });
    expect(result).toEqual({ form_type: '10-Q', fetched: 2, validated: 'failed', stored: 1 });
    expect(
      await one(`SELECT high_water FROM watermarks WHERE partition_key = '{"form_type":"10-K"}'`),
    ).toEqual({ high_water: '2025-01-10' });
  });
});

describe('I5', () => {
  let server: Server | null = null;
  let calls = 0;
  let isDown = true;
  afterAll(() => {
    source = flakyFilings;
    server?.close();
  });

  it('tries again what fails at first', () => {
    expect(resultOf('examples.i5_circuit_protected')).toEqual({
      attempts: 3,
      filings: 5,
      filers: 5,
      by_form: { '8-K': 5 },
    });
  });

  it('calls nobody while its breaker is open, and goes on when the source is back', async () => {
    server = createServer((_request, response) => {
      calls += 1;
      const filing = { form: '4', company: 'A', cik: '1', date_filed: '2025-01-02', accession: 'x' };
      response.writeHead(isDown ? 503 : 200).end(JSON.stringify([filing]));
    });
    const listening = server;
    await new Promise<void>((resolve) => void listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    source = loopbackFilings(new URL(`http://127.0.0.1:${port}/filings`));

    const runId = await start('examples.i5_circuit_protected', { form_type: '4', fail_first: 0 });
    const breaker = () => getBreaker(bed.engine.pool, EDGAR_BREAKER);
    await waitFor(async () => (await breaker())?.state === 'open');
    // The attempt that finds it open is put off, and calls nobody.
    const steps = `SELECT r.id FROM runs r WHERE r.parent_run_id = $1 AND r.completed_at IS NULL`;
    await waitFor(async () =>
      Boolean(
        await one(
          `${steps} AND EXISTS (SELECT 1 FROM run_events e WHERE e.run_id = r.id AND e.event_type = 'deferred')`,
          [runId],
        ),
      ),
    );
    const whileOpen = calls;
    isDown = false;
    // The time for one call to try has come.
    await bed.admin.query(`UPDATE breakers SET open_until = now() WHERE name = $1`, [EDGAR_BREAKER]);
    await bed.engine.breakers.refresh();
    await bed.admin.query(
      `UPDATE runs SET available_at = now(), dispatch_after = now() WHERE parent_run_id = $1 AND completed_at IS NULL`,
      [runId],
    );
    const { result } = await bed.reach(runId, 'completed');
    expect(result).toMatchObject({ filings: 1, by_form: { '4': 1 } });
    expect(calls).toBe(whileOpen + 1);
    expect(await breaker()).toMatchObject({ state: 'closed' });
  });
});

describe('A3', () => {
  it('knows what was believed before the amendment, and records a filing once', async () => {
    const expected = {
      original: { revenue: '391000000000', eps: '1.52' },
      current: { revenue: '394000000000', eps: '1.46' },
      revenue_delta: '3000000000',
      eps_delta: '-0.06',
      has_been_superseded: true,
      same_as_in_memory: true,
    };
    expect(resultOf('examples.a3_bitemporal_tracker')).toMatchObject({ compare: expected });
    const again = await run('examples.a3_bitemporal_tracker', {});
    expect(again.result).toMatchObject({
      record: { items: [{ outcome: 'there' }, { outcome: 'there' }] },
      compare: expected,
    });
  });
});

describe('M1', () => {
  const NAME = 'examples.m1_self_healing';
  const payment = (id: string, amount: string) => ({ id, amount, currency: 'USD' });
  const heal = async (...list: object[]) =>
    (await run(NAME, { fail_first: 0, payments: list })).result as {
      store: { quarantined: number };
      post_mortem: Record<string, unknown>;
    };
  const stored = (id: string) =>
    one(
      `SELECT value ->> 'amount' AS amount, run_id FROM bitemporal_facts WHERE domain = $1 AND fact_key = $2`,
      [PAYMENTS_DOMAIN, id],
    );

  it('heals what a change of spelling mends, and leaves the rest with an open anomaly', async () => {
    expect(resultOf(NAME)).toMatchObject({
      fetch: { attempt: 2 },
      store: { payments: 12, valid: 9, stored: 9, quarantined: 3 },
      post_mortem: { incident: true, severity: 'P2', healed: ['P-0003', 'P-0007'], anomaly: 'open' },
    });
    expect(await stored('P-0003')).toMatchObject({ amount: '1250.00' });
  });

  it('heals a run that has failed for good, and writes nothing twice', async () => {
    const runId = await start(STORE_PAYMENT, { payment: payment('P-0100', '2,000.00') }, 'operation');
    await bed.reach(runId, 'dead_lettered');
    const again = [payment('P-0001', '999.00'), payment('P-0003', '1,250.00'), payment('P-0009', 'n/a')];
    const { store, post_mortem } = await heal(...again);
    expect(store).toMatchObject({ stored: 0, quarantined: 0 });
    expect(post_mortem).toMatchObject({ healed: ['P-0100'], anomaly: 'none' });
    const [letter] = await getDeadLettersOfRuns(bed.engine.db, [runId]);
    expect(letter).toMatchObject({ resolvedBy: NAME, replayRunId: expect.any(String) as string });
    expect(await stored('P-0001')).toMatchObject({ amount: '125.00' });
    expect(await stored('P-0100')).toEqual({ amount: '2000.00', run_id: letter?.replayRunId });
  });

  it('closes a letter once, of two replays at once', async () => {
    const runId = await start(STORE_PAYMENT, { payment: payment('P-0110', '3,000.00') }, 'operation');
    await bed.reach(runId, 'dead_lettered');
    const [letter] = await getDeadLettersOfRuns(bed.engine.db, [runId]);
    const params = { dead_letter_id: letter?.deadLetterId, payment: payment('P-0110', '3000.00') };
    const replay = async () =>
      bed.reach(await start('examples.m1_replay_letter', params, 'operation'), 'completed');
    const outcomes = (await Promise.all([replay(), replay()])).map(
      ({ result }) => (result as { outcome: string }).outcome,
    );
    expect(outcomes.sort()).toEqual(['closed_before', 'healed']);
  });

  it('has one letter for a broken payment, of two runs at once', async () => {
    const broken = { payments: [payment('P-0120', 'none')] };
    const quarantine = async () =>
      bed.reach(await start('examples.m1_store_or_quarantine', broken, 'operation'), 'completed');
    const results = (await Promise.all([quarantine(), quarantine()])).map(
      ({ result }) => result as { quarantined: number },
    );
    expect(results.map(({ quarantined }) => quarantined).sort()).toEqual([0, 1]);
    expect(
      await one(
        `SELECT count(*)::int AS letters FROM dead_letters WHERE params -> 'payment' ->> 'id' = 'P-0120'`,
      ),
    ).toEqual({ letters: 1 });
  });

  it('resolves its anomaly when nothing is left', async () => {
    await bed.admin.query(
      `UPDATE dead_letters SET resolved_at = now(), resolution = 'resolved', resolved_by = 'test'
       WHERE name = $1 AND resolved_at IS NULL`,
      [STORE_PAYMENT],
    );
    const { post_mortem } = await heal(payment('P-0101', '$5.00'), payment('P-0102', '1.00'));
    expect(post_mortem).toMatchObject({ healed: ['P-0101'], left_for_a_person: [], anomaly: 'resolved' });
    const open = { domain: PAYMENTS_DOMAIN, resolved: false };
    const { items } = await listAnomalies(bed.engine.db, open, { limit: 10 });
    // Those of the payments that nothing mends.
    expect(items.map(({ message }) => message)).toEqual([
      '1 of 1 payments cannot be stored',
      '3 of 12 payments cannot be stored',
    ]);
  });
});

describe('M4', () => {
  it('debugs what fails in earnest in the same step', async () => {
    const { error } = await run(DEBUG_PIPELINE, {}, 'dead_lettered');
    expect(error).toMatchObject({ message: 'step validate: 10 exceed 8', category: 'DATA_QUALITY' });
  });
});
