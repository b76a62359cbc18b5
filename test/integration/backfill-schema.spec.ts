/** What the tables of plans and progress refuse, whatever a statement does wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import type { Pool } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
  await insert(base.admin, 'backfills', { id: PLAN });
});
afterAll(() => base.close());

type Row = Readonly<Record<string, unknown>>;

const PLAN = newId();
const WORK = { locked_by: 'me', locked_at: 'now', locked_until: 'now', attempt_count: 1 };
const ERROR = { last_error: 'e', last_error_at: 'now' };
const CHECKS = {
  all_partitions_present: true,
  all_stages_complete: true,
  no_critical_anomalies: true,
  dependencies_current: true,
  age_exceeds_preliminary: true,
};

/** A lawful row of each table; a case changes it into one that breaks exactly its constraint. */
const LAWFUL: Readonly<Record<string, () => Row>> = {
  watermarks: () => ({
    domain: 'd',
    source: 's',
    partition_key: newId(),
    kind: 'date',
    high_water: '2026-01-31',
  }),
  backfills: () => ({
    id: newId(),
    domain: 'd',
    source: 's',
    reason: 'GAP',
    run_kind: 'task',
    run_name: 'echo',
    params: '{}',
    lane: 'backfill',
    priority: 3,
    concurrency: 2,
    max_attempts: 2,
    total: 2,
    created_by: 'me',
  }),
  backfill_partitions: () => ({ backfill_id: PLAN, ordinal: nextOrdinal(), partition_key: newId() }),
  work_items: () => ({ id: newId(), domain: 'd', workflow: 'w', partition_key: newId() }),
  expected_schedules: () => ({
    domain: newId(),
    workflow: 'w',
    cadence: 'weekly',
    partition_template: '{}',
    required_stages: '{A}',
    expected_delay_hours: 1,
  }),
  calc_dependencies: () => ({
    calc_domain: newId(),
    calc_operation: 'a',
    calc_stage: 'A',
    depends_on_domain: 'd',
    depends_on_operation: 'b',
    depends_on_stage: 'B',
    dependency_type: 'REQUIRED',
  }),
  data_readiness: () => ({
    domain: newId(),
    partition_key: 'p',
    ready_for: 'use',
    workflow: 'w',
    is_ready: true,
    ...CHECKS,
    blocking_reasons: '[]',
    certified_by: 'me',
    certified_at: 'now',
  }),
};

let ordinals = 0;
const nextOrdinal = () => (ordinals += 1);

const ended = (status: string): Row => ({ status, started_at: 'now', completed_at: 'now' });
const NOT_READY = { is_ready: false, certified_at: null, blocking_reasons: '[{}]' };

const VIOLATIONS: readonly (readonly [table: string, constraint: string, ...rows: Row[]])[] = [
  [
    'watermarks',
    'watermarks_high_water',
    { kind: 'number' },
    { high_water: '2026-01-31T00:00:00Z' },
    { kind: 'instant', high_water: '2026-01-31T00:00:00Z' },
    { kind: 'integer', high_water: '007' },
    { kind: 'integer', high_water: '-0' },
    { kind: 'text', high_water: '' },
  ],
  ['backfills', 'backfills_reason', { reason: 'BOREDOM' }],
  [
    'backfills',
    'backfills_run',
    { run_kind: 'step' },
    { priority: 5 },
    { concurrency: 0 },
    { concurrency: 1_001 },
    { max_attempts: 0 },
    { max_attempts: 101 },
    { max_retries: -1 },
    { timeout_ms: 0 },
  ],
  [
    'backfills',
    'backfills_counts',
    { total: 0 },
    { ...ended('CANCELLED'), completed: -1 },
    { ...ended('CANCELLED'), failed: -1 },
    { ...ended('CANCELLED'), completed: 2, failed: 1 },
  ],
  [
    'backfills',
    'backfills_state',
    { status: 'SLEEPING' },
    { started_at: 'now' },
    { completed_at: 'now' },
    { completed: 1 },
    { status: 'RUNNING' },
    { ...ended('RUNNING') },
    ended('COMPLETED'),
    { ...ended('COMPLETED'), started_at: null, completed: 2 },
    ended('FAILED'),
    { ...ended('FAILED'), completed: 2 },
    { ...ended('FAILED'), completed: 1, failed: 1, completed_at: null },
    { status: 'CANCELLED' },
  ],
  ['backfill_partitions', 'backfill_partitions_counts', { ordinal: -1 }, { failures: -1 }, { failures: 1 }],
  [
    'backfill_partitions',
    'backfill_partitions_state',
    { status: 'LOST' },
    { status: 'RUNNING' },
    { status: 'CANCELLING' },
    { status: 'DONE' },
    { status: 'DONE', run_id: newId(), error: '{}' },
    { status: 'FAILED' },
  ],
  [
    'work_items',
    'work_items_counts',
    { priority: -1 },
    { priority: 5 },
    { max_attempts: 0 },
    { max_attempts: 1_001 },
    { attempt_count: -1 },
    { attempt_count: 4 },
  ],
  ['work_items', 'work_items_error', { last_error: 'e' }, { last_error_at: 'now' }],
  [
    'work_items',
    'work_items_state',
    { state: 'LOST' },
    { locked_by: 'me' },
    { next_attempt_at: 'now' },
    { completed_at: 'now' },
    { state: 'RUNNING' },
    { ...WORK, state: 'RUNNING', attempt_count: 0 },
    { ...WORK, state: 'RUNNING', locked_until: null },
    { ...WORK, state: 'RUNNING', completed_at: 'now' },
    { state: 'RETRY_WAIT', next_attempt_at: 'now' },
    { state: 'RETRY_WAIT', ...ERROR },
    { ...WORK, ...ERROR, state: 'RETRY_WAIT', next_attempt_at: 'now' },
    { state: 'COMPLETE' },
    { ...WORK, state: 'COMPLETE', completed_at: 'now' },
    { state: 'FAILED', completed_at: 'now' },
    { state: 'FAILED', ...ERROR },
    { state: 'CANCELLED' },
    { ...WORK, state: 'CANCELLED', completed_at: 'now' },
  ],
  ['expected_schedules', 'expected_schedules_cadence', { cadence: 'hourly' }],
  [
    'expected_schedules',
    'expected_schedules_hours',
    { expected_delay_hours: -1 },
    { expected_delay_hours: 8_785 },
    { preliminary_hours: -1 },
    { preliminary_hours: 8_785 },
  ],
  ['expected_schedules', 'expected_schedules_stages', { required_stages: '{}' }],
  ['calc_dependencies', 'calc_dependencies_type', { dependency_type: 'MAYBE' }],
  ['calc_dependencies', 'calc_dependencies_itself', { calc_domain: 'd', calc_operation: 'b' }],
  [
    'data_readiness',
    'data_readiness_verdict',
    { blocking_reasons: '[{}]' },
    { certified_at: null },
    NOT_READY,
    { ...NOT_READY, all_stages_complete: false, blocking_reasons: '[]' },
    { ...NOT_READY, all_stages_complete: false, certified_at: 'now' },
    ...Object.keys(CHECKS).map((check) => ({ [check]: false })),
  ],
];

async function insert(db: Pick<Pool, 'query'>, table: string, more: Row = {}): Promise<void> {
  const row = { ...LAWFUL[table]?.(), ...more };
  const columns = Object.keys(row);
  await db.query(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
}

describe('a row', () => {
  const cases = VIOLATIONS.map(([table, constraint, ...rows]) => ({ table, constraint, rows }));
  it.each(cases)(
    'of $table that breaks $constraint is refused for that alone',
    async ({ table, constraint, rows }) => {
      const client = await base.admin.connect();
      await client.query('BEGIN');
      for (const row of rows) {
        await client.query('SAVEPOINT before');
        await expect(insert(client, table, row)).rejects.toMatchObject({ code: '23514', constraint });
        await client.query('ROLLBACK TO before');
      }
      // Without that constraint each would pass: nothing else is wrong with it.
      await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${constraint}`);
      for (const row of rows) await insert(client, table, row);
      await client.query('ROLLBACK');
      client.release();
    },
  );

  it('that is lawful passes', async () => {
    const { admin } = base;
    for (const table of Object.keys(LAWFUL)) await insert(admin, table);
    await insert(admin, 'backfills', { ...ended('COMPLETED'), completed: 2 });
    await insert(admin, 'backfills', { ...ended('FAILED'), completed: 1, failed: 1 });
    await insert(admin, 'backfills', { status: 'CANCELLED', completed_at: 'now' });
    await insert(admin, 'work_items', { ...WORK, state: 'RUNNING' });
    await insert(admin, 'work_items', { ...ERROR, state: 'RETRY_WAIT', next_attempt_at: 'now' });
    await insert(admin, 'work_items', { ...ERROR, state: 'FAILED', completed_at: 'now' });
    await insert(admin, 'data_readiness', { ...NOT_READY, dependencies_current: false });
  });

  it('has a case above for every constraint there is', async () => {
    const { rows } = await base.admin.query<{ name: string }>(
      `SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND conrelid = ANY ($1::regclass[]) ORDER BY 1`,
      [`{${Object.keys(LAWFUL).join(',')}}`],
    );
    expect(rows.map(({ name }) => name)).toEqual(VIOLATIONS.map(([, name]) => name).sort());
  });
});

describe('the role the services work as', () => {
  it.each([
    'DELETE FROM watermarks',
    'DELETE FROM backfill_partitions',
    'UPDATE backfills SET total = 1',
    'UPDATE backfill_partitions SET partition_key = partition_key',
    'DELETE FROM work_items',
    'DELETE FROM data_readiness',
    'TRUNCATE backfills, backfill_partitions',
  ])('may not %s', async (text) => {
    await expect(base.pool.query(text)).rejects.toMatchObject({ code: '42501' });
  });
});
