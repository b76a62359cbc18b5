/** What the schema itself refuses, whatever a statement does wrong. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId, TERMINAL_STATUSES } from '@spine/core';
import { closeDeadLetters, getDeadLetter } from '@spine/database';
import type { Pool } from '@spine/database';
import { claimed, ERROR, openEngineDatabase, settle } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
});
beforeEach(() => base.clear());
afterAll(() => base.close());

type Row = Readonly<Record<string, unknown>>;

/** A lawful row of each table; a case changes it into one that breaks exactly its constraint. */
const LAWFUL: Readonly<Record<string, () => Row>> = {
  runs: () => ({
    id: newId(),
    kind: 'task',
    name: 'echo',
    lane: 'default',
    priority: 2,
    status: 'queued',
    params: '{}',
    trigger_source: 'api',
    metadata: '{}',
    tags: '{}',
    max_attempts: 1,
    retry_delay_ms: 0,
    timeout_ms: 1,
    dead_letter: true,
    available_at: 'now',
    dispatch_after: 'now',
  }),
  run_events: () => ({ run_id: newId(), epoch: 0, event_type: 'submitted', source: 'api' }),
  run_payloads: () => ({ run_id: newId(), slot: 'params', content: '{}' }),
  run_logs: () => ({ run_id: newId(), epoch: 1, attempt: 1, level: 30, message: '', timestamp: 'now' }),
  dead_letters: () => ({
    run_id: newId(),
    kind: 'task',
    name: 'echo',
    lane: 'default',
    params: '{}',
    error: '{}',
    error_category: 'UNKNOWN',
    attempts: 1,
    crash_count: 0,
  }),
  workers: () => ({
    id: newId(),
    hostname: 'h',
    pid: 1,
    version: '0',
    lanes: '{}',
    handlers: '{}',
    slots: 1,
  }),
  service_processes: () => ({ process_id: newId(), service: 'api', hostname: 'h', pid: 1, version: '0' }),
  gate_states: () => ({ gate_type: 'concurrency', key: newId(), gate_limit: 1 }),
  concurrency_holds: () => ({ key: newId(), run_id: newId(), epoch: 1 }),
  gate_waiters: () => ({ run_id: newId(), gate_type: 'rate', key: 'k', priority: 2 }),
  breakers: () => ({ name: newId(), state: 'open', open_until: 'now', changed_by: 'worker' }),
  event_bus_payloads: () => ({ event_id: newId(), content: 'x' }),
  manifest: () => ({ domain: 'd', partition_key: newId(), stage: 's', stage_rank: 0, run_id: newId() }),
  rejects: () => ({
    domain: 'd',
    partition_key: 'p',
    stage: 's',
    reason_code: 'BAD',
    reason_detail: 'd',
    raw: 'r',
    source_locator: 'l',
    line_number: 1,
    record_hash: newId(),
    run_id: newId(),
  }),
  quality_results: () => ({
    id: newId(),
    domain: 'd',
    partition_key: 'p',
    check_name: 'rows',
    category: 'INTEGRITY',
    status: 'PASS',
    message: 'm',
    run_id: newId(),
  }),
  anomalies: () => ({ id: newId(), domain: 'd', severity: 'ERROR', category: 'UNKNOWN', message: 'm' }),
};

async function insert(db: Pick<Pool, 'query'>, table: string, more: Row = {}): Promise<void> {
  const row = { ...LAWFUL[table]?.(), ...more };
  const columns = Object.keys(row);
  await db.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
}

const over = (status: string): Row => ({ status, dispatch_after: null, completed_at: 'now' });
const LEASE = { lease_owner: newId(), lease_expires_at: 'now', deadline_at: 'now', dispatch_after: null };

/** Per constraint, every way to break it alone. */
const VIOLATIONS: readonly (readonly [table: string, constraint: string, ...rows: Row[]])[] = [
  ['runs', 'runs_kind', { kind: 'job' }],
  ['runs', 'runs_priority', { priority: -1 }, { priority: 5 }],
  [
    'runs',
    'runs_trace_context',
    { trace_context: 'none' },
    { trace_context: `00-${'A'.repeat(32)}-${'1'.repeat(16)}-01` },
    { trace_context: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01\n` },
  ],
  [
    'runs',
    'runs_budget',
    { max_attempts: 0 },
    { max_attempts: 1002 },
    { attempt: -1 },
    { attempt: 2 },
    { crash_count: -1 },
    { epoch: -1 },
    { dispatch_no: -1 },
    { retry_delay_ms: -1 },
    { timeout_ms: 0 },
  ],
  [
    'runs',
    'runs_state',
    // No such state.
    { status: 'sleeping', dispatch_after: null },
    // Nor one that lends a digit to what is counted.
    { status: 'completed2', dispatch_after: null, lease_owner: newId(), lease_expires_at: 'now' },
    { status: 'completed1', dispatch_after: null, completed_at: 'now' },
    // Paused is set aside: no lease, no hint, no end.
    { status: 'paused' },
    { status: 'paused', dispatch_after: null, lease_owner: newId() },
    { status: 'paused', dispatch_after: null, completed_at: 'now' },
    { status: 'paused', dispatch_after: null, result: '1' },
    // A lease exactly while running.
    { status: 'running', dispatch_after: null },
    { ...LEASE, status: 'running', lease_owner: null },
    { ...LEASE, status: 'running', lease_expires_at: null },
    { ...LEASE, status: 'running', deadline_at: null },
    { lease_owner: newId() },
    { lease_expires_at: 'now' },
    { deadline_at: 'now' },
    { status: 'pending', lease_owner: newId() },
    ...TERMINAL_STATUSES.map((status) => ({ ...over(status), error: '{}', lease_owner: newId() })),
    // Due for a hint exactly while waiting.
    { dispatch_after: null },
    { status: 'pending', dispatch_after: null },
    { ...LEASE, status: 'running', dispatch_after: 'now' },
    ...TERMINAL_STATUSES.map((status) => ({ ...over(status), error: '{}', dispatch_after: 'now' })),
    // Over exactly when terminal.
    ...TERMINAL_STATUSES.map((status) => ({ ...over(status), error: '{}', completed_at: null })),
    { completed_at: 'now' },
    { status: 'pending', completed_at: 'now' },
    { ...LEASE, status: 'running', completed_at: 'now' },
    // A result only of what completed, an error of what failed.
    { result: '1' },
    { result_ref: 'r' },
    { ...over('completed'), result: '1', result_ref: 'r' },
    ...TERMINAL_STATUSES.filter((status) => status !== 'completed').map((status) => ({
      ...over(status),
      error: '{}',
      result: '1',
    })),
    over('failed'),
    over('timed_out'),
    over('dead_lettered'),
    { ...over('dead_lettered'), error: '{}', dead_letter: false },
  ],
  ['runs', 'runs_finished_epoch', { finished_epoch: 1 }],
  ['runs', 'runs_key_has_hash', { idempotency_key: newId() }, { spec_hash: 'h' }],
  ['run_events', 'run_events_type', { event_type: '' }, { event_type: 'x'.repeat(65) }],
  [
    'run_payloads',
    'run_payloads_slot',
    { slot: '' },
    { slot: 'result' },
    { slot: 'result:' },
    { slot: 'result:-1' },
    { slot: '../params' },
    { slot: 'params\n' },
  ],
  ['event_bus_payloads', 'event_bus_payloads_content', { content: '' }, { content: 'x'.repeat(524_289) }],
  ['run_logs', 'run_logs_level', { level: 0 }, { level: 101 }],
  [
    'dead_letters',
    'dead_letters_resolution',
    { resolution: 'ignored', resolved_at: 'now', resolved_by: 'me' },
  ],
  [
    'dead_letters',
    'dead_letters_resolved',
    { resolved_at: 'now' },
    { resolution: 'resolved' },
    { resolved_by: 'me' },
    { resolved_at: 'now', resolution: 'resolved' },
  ],
  [
    'dead_letters',
    'dead_letters_replay',
    { resolution: 'replayed', resolved_at: 'now', resolved_by: 'me' },
    { resolution: 'resolved', resolved_at: 'now', resolved_by: 'me', replay_run_id: newId() },
  ],
  ['service_processes', 'service_processes_service', { service: 'worker' }],
  ['service_processes', 'service_processes_pid', { pid: 0 }],
  ['service_processes', 'service_processes_names', { hostname: '' }, { version: '' }],
  ['workers', 'workers_status', { status: 'gone' }],
  ['workers', 'workers_slots', { slots: 0 }, { running: -1 }],
  [
    'gate_states',
    'gate_states_type',
    { gate_type: 'breaker', gate_limit: null },
    { gate_limit: null },
    { gate_limit: 0 },
    { rate: '{}' },
    { gate_type: 'rate' },
    { gate_type: 'rate', gate_limit: null, rate: '{}' },
    { gate_type: 'rate', gate_limit: null, keep_until: 'now' },
    { gate_type: 'singleton' },
  ],
  ['gate_waiters', 'gate_waiters_type', { gate_type: 'lock' }],
  [
    'breakers',
    'breakers_state',
    { state: 'ajar' },
    // Open has an end, or an operator who ends it.
    { open_until: null },
    { forced: true },
    { probe_owner: 'run' },
    { state: 'closed' },
    { state: 'closed', open_until: null, probe_owner: 'run' },
    // Half open means that one tries.
    { state: 'half_open', open_until: null },
    { state: 'half_open', open_until: null, probe_owner: 'run' },
    { state: 'half_open', open_until: null, probe_owner: 'run', probe_until: 'now', forced: true },
    { state: 'half_open', probe_owner: 'run', probe_until: 'now' },
  ],
  ['breakers', 'breakers_failures', { failures: -1 }],
  ['manifest', 'manifest_counts', { stage_rank: -1 }, { row_count: -1 }],
  ['rejects', 'rejects_line', { line_number: 0 }],
  ['rejects', 'rejects_reason', { reason_code: 'bad' }, { reason_code: '' }],
  ['rejects', 'rejects_source_hash', { source_hash: 'abc' }, { source_hash: 'A'.repeat(64) }],
  [
    'quality_results',
    'quality_results_check',
    { check_name: '' },
    { check_name: 'Rows' },
    { check_name: '1' },
  ],
  ['quality_results', 'quality_results_category', { category: 'OTHER' }],
  ['quality_results', 'quality_results_status', { status: 'pass' }],
  ['anomalies', 'anomalies_severity', { severity: 'FATAL' }],
  ['anomalies', 'anomalies_category', { category: 'OTHER' }],
  [
    'anomalies',
    'anomalies_resolved',
    { resolved_at: 'now' },
    { resolved_by: 'ann' },
    { resolution_note: 'n' },
  ],
];

/** Checked when a run is stored: nothing of this changes after. */
const OF_NEW_RUNS = ['runs_kind', 'runs_priority', 'runs_trace_context', 'runs_key_has_hash'];

describe('a row', () => {
  const cases = VIOLATIONS.map(([table, constraint, ...rows]) => ({ table, constraint, rows }));
  it.each(cases)(
    'of $table that breaks $constraint is refused for that alone',
    async ({ table, constraint, rows }) => {
      for (const row of rows) {
        await expect(insert(admin, table, row)).rejects.toMatchObject({ code: '23514', constraint });
        // Without that constraint it would pass: nothing else is wrong with it.
        const client = await admin.connect();
        await client.query('BEGIN');
        if (!OF_NEW_RUNS.includes(constraint))
          await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`);
        if (table === 'runs') await client.query('ALTER TABLE runs DISABLE TRIGGER runs_new_is_lawful');
        await insert(client, table, row);
        await client.query('ROLLBACK');
        client.release();
      }
    },
  );

  it('that is lawful passes', async () => {
    for (const table of Object.keys(LAWFUL)) await insert(admin, table);
    await insert(admin, 'runs', { status: 'pending' });
    for (const status of TERMINAL_STATUSES) await insert(admin, 'runs', { ...over(status), error: '{}' });
    await insert(admin, 'runs', { ...over('completed'), result: '1' });
    await insert(admin, 'runs', over('cancelled'));
    await insert(admin, 'runs', { ...LEASE, status: 'running', epoch: 3, finished_epoch: 3 });
    await insert(admin, 'dead_letters', {
      resolution: 'replayed',
      resolved_at: 'now',
      resolved_by: 'me',
      replay_run_id: newId(),
    });
  });

  it('has a case above for every constraint there is', async () => {
    const { rows } = await admin.query<{ name: string }>(
      `SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY ($1::regclass[]) ORDER BY 1`,
      [`{${Object.keys(LAWFUL).join(',')}}`],
    );
    expect([...rows.map(({ name }) => name), ...OF_NEW_RUNS].sort()).toEqual(
      VIOLATIONS.map(([, name]) => name).sort(),
    );
  });
});

describe('what a run was asked to do', () => {
  /** What the transitions of a run change, and nothing else does. */
  const CHANGING = [
    'status',
    'result',
    'error',
    'attempt',
    'crash_count',
    'epoch',
    'finished_epoch',
    'lease_owner',
    'lease_expires_at',
    'deadline_at',
    'available_at',
    'dispatch_after',
    'dispatch_no',
    'started_at',
    'completed_at',
    // Deadlines: moved by nobody yet.
    'expires_at',
    'run_deadline_at',
    // Written with what they have resolved to when it is claimed.
    'gates',
    'result_ref',
    'workflow_told',
  ];

  it('does not change, whoever writes', async () => {
    await insert(admin, 'runs');
    const { rows } = await admin.query<{ name: string }>(
      `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'runs'::regclass AND attnum > 0 AND NOT attisdropped`,
    );
    const fixed = rows.map(({ name }) => name).filter((name) => !CHANGING.includes(name));
    expect(fixed).toEqual(expect.arrayContaining(['id', 'kind', 'name', 'lane', 'params', 'created_at']));
    for (const column of fixed) {
      await expect(admin.query(`UPDATE runs SET ${column} = ${column}`), column).rejects.toMatchObject({
        code: '23000',
        message: 'what a run was asked to do does not change',
      });
    }
    for (const column of CHANGING) await admin.query(`UPDATE runs SET ${column} = ${column}`);
  });
});

describe('a run that is over', () => {
  it.each(TERMINAL_STATUSES)('%s stays as it is, whoever writes', async (status) => {
    const id = newId();
    await insert(admin, 'runs', { ...over(status), id, error: '{}', epoch: 2 });
    for (const change of [
      `status = 'queued', completed_at = NULL, dispatch_after = now()`,
      'epoch = epoch + 1',
      `error = '{"n":2}'`,
    ]) {
      await expect(admin.query(`UPDATE runs SET ${change} WHERE id = $1`, [id])).rejects.toThrow(
        `run ${id} is ${status} and may not change`,
      );
    }
  });
});

describe('an epoch', () => {
  it('never falls', async () => {
    const { runId } = await claimed(base.pool);
    await expect(admin.query('UPDATE runs SET epoch = 0 WHERE id = $1', [runId])).rejects.toThrow(
      `run ${runId} may not lower its epoch from 1 to 0`,
    );
    await admin.query('UPDATE runs SET epoch = 1, dispatch_no = 1 WHERE id = $1', [runId]);
  });
});

describe('a history', () => {
  const terminal = (run_id: string, event_type: string): Row => ({ run_id, event_type, terminal: true });

  it('has one end', async () => {
    const id = newId();
    await insert(admin, 'run_events', terminal(id, 'completed'));
    await expect(insert(admin, 'run_events', terminal(id, 'failed'))).rejects.toMatchObject({
      code: '23505',
      constraint: 'run_events_one_terminal',
    });
    await insert(admin, 'run_events', { run_id: id, event_type: 'progress' });
    await insert(admin, 'run_events', terminal(newId(), 'failed'));
  });

  it('is not rewritten, by nobody', async () => {
    await insert(admin, 'run_events');
    await expect(admin.query(`UPDATE run_events SET source = 'x'`)).rejects.toThrow(
      'run_events is append only',
    );
  });

  it('has a run id once, and a key once', async () => {
    const id = newId();
    await insert(admin, 'runs', { id, idempotency_key: 'k', spec_hash: 'h' });
    await expect(insert(admin, 'runs', { id })).rejects.toMatchObject({ constraint: 'runs_pkey' });
    await expect(insert(admin, 'runs', { idempotency_key: 'k', spec_hash: 'h' })).rejects.toMatchObject({
      constraint: 'runs_idempotency_key',
    });
    await insert(admin, 'dead_letters', { run_id: id });
    await expect(insert(admin, 'dead_letters', { run_id: id })).rejects.toMatchObject({ code: '23505' });
  });
});

describe('the role the services work as', () => {
  it.each([
    'UPDATE run_events SET source = source',
    'DELETE FROM run_events',
    'TRUNCATE run_events',
    'DELETE FROM runs',
    'TRUNCATE runs',
    'DELETE FROM dead_letters',
    'UPDATE run_logs SET message = message',
    'DELETE FROM run_logs',
    'TRUNCATE run_payloads',
    `SELECT nextval('run_events_event_id_seq')`,
    'DELETE FROM rejects',
    'UPDATE rejects SET raw = raw',
    'UPDATE rejects SET closed_at = now()',
    'TRUNCATE rejects',
    'UPDATE reject_repairs SET outcome = outcome',
    'DELETE FROM reject_repairs',
    'UPDATE quality_results SET status = status',
    'DELETE FROM quality_results',
    'UPDATE anomalies SET message = message',
    'DELETE FROM anomalies',
    'DELETE FROM manifest',
    'CREATE TABLE mine (a int)',
    'ALTER TABLE runs DISABLE TRIGGER ALL',
    'UPDATE schema_migrations SET checksum = checksum',
  ])('may not %s', async (statement) => {
    await expect(base.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a dead letter', () => {
  it('is closed once, whoever asks, and stays as it was closed', async () => {
    const run = await claimed(base.pool);
    await settle(base.pool, run, { type: 'dead_lettered', error: ERROR });
    const { rows } = await admin.query<{ id: string }>('SELECT id FROM dead_letters');
    const id = rows[0]?.id ?? '';
    const close = async (by: string) =>
      (await closeDeadLetters(base.db, [{ deadLetterId: id, replayRunId: null }], by, `by ${by}`))[0] ?? null;
    const closed = await Promise.all([close('ann'), close('bob'), close('eve')]);
    const won = closed.filter((letter) => letter !== null);
    expect(won).toHaveLength(1);
    expect(await close('late')).toBeNull();
    expect(await getDeadLetter(base.db, id)).toEqual(won[0]);
    expect(won[0]).toMatchObject({ runId: run.runId, resolution: 'resolved', replayRunId: null });
    const unknown = [{ deadLetterId: newId(), replayRunId: null }];
    expect(await closeDeadLetters(base.db, unknown, 'me', null)).toEqual([]);
  });
});
