/** The types the code reads rows with say what the migrations made. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUN_STATUSES } from '@spine/core';
import { RUN_COLUMNS } from '@spine/database';
import type { Database, Pool } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
});
afterAll(() => base.close());

/** Whether a column may be null, as the type of what is read says; a column of any JSON may say either. */
type Nullability<T> = unknown extends T ? 'null' | 'not null' : null extends T ? 'null' : 'not null';
type Selected<C> = C extends { readonly __select__: infer S } ? S : C;

/** The types spelt out: the compiler holds this to `Database`, the test holds it to the database. */
const TYPED: {
  readonly [T in keyof Database]: {
    readonly [C in keyof Database[T]]: Nullability<Selected<Database[T][C]>>;
  };
} = {
  runs: {
    id: 'not null',
    kind: 'not null',
    name: 'not null',
    lane: 'not null',
    priority: 'not null',
    status: 'not null',
    params: 'not null',
    result: 'null',
    error: 'null',
    idempotency_key: 'null',
    spec_hash: 'null',
    correlation_id: 'null',
    parent_run_id: 'null',
    retry_of_run_id: 'null',
    trigger_source: 'not null',
    metadata: 'not null',
    tags: 'not null',
    max_attempts: 'not null',
    retry_delay_ms: 'not null',
    timeout_ms: 'not null',
    dead_letter: 'not null',
    attempt: 'not null',
    crash_count: 'not null',
    epoch: 'not null',
    finished_epoch: 'null',
    lease_owner: 'null',
    lease_expires_at: 'null',
    deadline_at: 'null',
    available_at: 'not null',
    dispatch_after: 'null',
    dispatch_no: 'not null',
    created_at: 'not null',
    started_at: 'null',
    completed_at: 'null',
    expires_at: 'null',
    run_deadline_at: 'null',
    singleton_key: 'null',
    retry_policy: 'null',
    gates: 'null',
    params_ref: 'null',
    result_ref: 'null',
  },
  run_events: {
    event_id: 'not null',
    run_id: 'not null',
    epoch: 'not null',
    event_type: 'not null',
    terminal: 'not null',
    data: 'null',
    source: 'not null',
    timestamp: 'not null',
  },
  run_payloads: {
    run_id: 'not null',
    slot: 'not null',
    content: 'not null',
    created_at: 'not null',
  },
  run_logs: {
    run_id: 'not null',
    log_id: 'not null',
    epoch: 'not null',
    attempt: 'not null',
    level: 'not null',
    message: 'not null',
    fields: 'null',
    timestamp: 'not null',
  },
  dead_letters: {
    id: 'not null',
    run_id: 'not null',
    kind: 'not null',
    name: 'not null',
    lane: 'not null',
    params: 'not null',
    error: 'not null',
    error_category: 'not null',
    attempts: 'not null',
    crash_count: 'not null',
    correlation_id: 'null',
    created_at: 'not null',
    resolved_at: 'null',
    resolution: 'null',
    resolved_by: 'null',
    note: 'null',
    replay_run_id: 'null',
  },
  lanes: {
    lane: 'not null',
    paused_at: 'null',
    paused_by: 'null',
    note: 'null',
    updated_at: 'not null',
  },
  workers: {
    id: 'not null',
    hostname: 'not null',
    pid: 'not null',
    version: 'not null',
    lanes: 'not null',
    handlers: 'not null',
    slots: 'not null',
    running: 'not null',
    status: 'not null',
    started_at: 'not null',
    last_seen_at: 'not null',
    drain_requested_at: 'null',
  },
  gate_states: {
    gate_type: 'not null',
    key: 'not null',
    gate_limit: 'null',
    rate: 'null',
    keep_until: 'null',
    updated_at: 'not null',
  },
  concurrency_holds: {
    key: 'not null',
    run_id: 'not null',
    epoch: 'not null',
    claimed_at: 'not null',
  },
  gate_waiters: {
    run_id: 'not null',
    gate_type: 'not null',
    key: 'not null',
    priority: 'not null',
    since: 'not null',
    woken_at: 'null',
  },
  breakers: {
    name: 'not null',
    state: 'not null',
    forced: 'not null',
    open_until: 'null',
    failures: 'not null',
    changed_by: 'not null',
    note: 'null',
    probe_owner: 'null',
    probe_until: 'null',
    updated_at: 'not null',
  },
  manifest: {
    domain: 'not null',
    partition_key: 'not null',
    stage: 'not null',
    stage_rank: 'not null',
    row_count: 'null',
    metrics: 'not null',
    run_id: 'not null',
    batch_id: 'null',
    updated_at: 'not null',
  },
  rejects: {
    reject_id: 'not null',
    domain: 'not null',
    partition_key: 'not null',
    stage: 'not null',
    reason_code: 'not null',
    reason_detail: 'not null',
    raw: 'not null',
    source_locator: 'not null',
    line_number: 'null',
    record_hash: 'not null',
    run_id: 'not null',
    batch_id: 'null',
    created_at: 'not null',
  },
};

describe('the types of the code', () => {
  it.each(Object.keys(TYPED) as (keyof Database)[])(
    'name the columns of %s, and what may be null',
    async (table) => {
      const { rows } = await admin.query<{ name: string; nullable: string }>(
        `SELECT column_name AS name, CASE is_nullable WHEN 'YES' THEN 'null' ELSE 'not null' END AS nullable
       FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1`,
        [table],
      );
      expect(Object.fromEntries(rows.map(({ name, nullable }) => [name, nullable]))).toEqual(TYPED[table]);
    },
  );

  it('leave out of a run record only what the relay keeps for itself', () => {
    expect([...RUN_COLUMNS, 'dispatch_after', 'dispatch_no'].sort()).toEqual(Object.keys(TYPED.runs).sort());
  });

  it('know every status the schema knows', async () => {
    const { rows } = await admin.query<{ def: string }>(
      `SELECT pg_get_constraintdef(oid) AS def FROM pg_constraint WHERE conname = 'runs_state'`,
    );
    const known = [...(rows[0]?.def ?? '').matchAll(/[{,](\w+):\d+/g)].map((match) => match[1]);
    expect([...new Set(known)].sort()).toEqual([...RUN_STATUSES].sort());
  });
});
