/** The statement of insert.ts: text for what its runs have, and nothing that none of them has. */
import type { QueryConfig } from 'pg';
import { plainArray } from '../sql/arrays.ts';
import { PAUSED_LANES } from './claim.ts';
import { inputSql, inputValues, layoutOf, shapeOf } from './insert-columns.ts';
import type { InsertLayout, InsertShape } from './insert-columns.ts';
import type { ClaimOnInsert, InsertInfo, NewRun } from './insert.ts';

/** How long a hint may take before the relay sends another. */
export const HINT_GRACE = "interval '15 seconds'";

/** Runs due later than this get no hint at submit: it would only occupy the queue's memory. The relay sends it in time. */
export const HINT_HORIZON_MS = 3_600_000;

/** After `hinted`. */
const FIRST_COLUMN = 2;

const HINT_HORIZON = `interval '${HINT_HORIZON_MS} milliseconds'`;

/** Whether nothing has to be looked at before a run starts: no gate, no time, no other run. */
export function startsAtOnce(run: NewRun): boolean {
  return (
    run.gates === null &&
    run.runAfter === null &&
    run.expiresAt === null &&
    run.deadlineMs === null &&
    run.singletonKey === null &&
    run.idempotencyKey === null &&
    run.parentEpoch === null
  );
}

interface Variant extends InsertShape {
  readonly conflicts: boolean;
  readonly fenced: boolean;
  /** Whether some run comes from another one, whose namespace it takes on. */
  readonly derived: boolean;
  /** Whether some run is to be stored as claimed. */
  readonly claimed: boolean;
}

const ORIGINS_NAMESPACE =
  '(SELECT o.namespace FROM runs o WHERE o.id = COALESCE(i.parent_run_id, i.retry_of_run_id))';

/** The columns that say whose a run is, each with where its value comes from. */
function ownerColumns({ owned, derived }: Variant): readonly (readonly [string, string])[] {
  const own = owned ? [['submitted_by', 'i.submitted_by'] as const] : [];
  if (derived && owned) return [['namespace', `COALESCE(i.namespace, ${ORIGINS_NAMESPACE})`], ...own];
  if (derived) return [['namespace', ORIGINS_NAMESPACE]];
  return owned ? [['namespace', 'i.namespace'], ...own] : [];
}

/** How a run is stored whose row of the input is `i`; `held` says of one that is to be claimed that its lane goes. */
function beginning({ claimed }: Variant, workerId: string, leaseMs: string): Record<Beginning, string> {
  const waiting = {
    status: `CASE WHEN i.run_after > now() THEN 'pending' ELSE 'queued' END`,
    dispatch_after: `GREATEST(i.run_after, now()) + CASE
      WHEN $1::boolean AND COALESCE(i.run_after <= now() + ${HINT_HORIZON}, true) THEN ${HINT_GRACE}
      ELSE interval '0' END`,
  };
  if (!claimed) return { ...waiting, columns: '', values: '' };
  return {
    status: `CASE WHEN i.held THEN 'running' WHEN i.run_after > now() THEN 'pending' ELSE 'queued' END`,
    dispatch_after: `CASE WHEN NOT i.held THEN ${waiting.dispatch_after} END`,
    columns: ', epoch, attempt, lease_owner, lease_expires_at, deadline_at, started_at',
    // The lease is counted from when the worker was asked, which is no earlier than its transaction.
    values: `, i.held::int, i.held::int, CASE WHEN i.held THEN ${workerId}::uuid END,
    CASE WHEN i.held THEN statement_timestamp() + ${leaseMs}::bigint * interval '1 millisecond' END,
    CASE WHEN i.held THEN statement_timestamp() + i.timeout_ms * interval '1 millisecond' END,
    CASE WHEN i.held THEN statement_timestamp() END`,
  };
}

type Beginning = 'status' | 'dispatch_after' | 'columns' | 'values';

/** The input; with `held` where runs may be stored as claimed. */
function input(layout: InsertLayout, claimed: boolean): string {
  const rows = inputSql(layout, FIRST_COLUMN, claimed);
  if (!claimed) return rows;
  return `SELECT *, claimed AND lane <> ALL (${PAUSED_LANES}) AS held FROM (
    ${rows}
  ) AS x`;
}

function insertSql(variant: Variant, layout: InsertLayout): string {
  const { conflicts, fenced, extended, owned, traced, claimed } = variant;
  const owner = ownerColumns(variant);
  const afterColumns = FIRST_COLUMN + layout.length;
  const workerId = `$${afterColumns + 1}`;
  const begins = beginning(variant, workerId, `$${afterColumns + 2}`);
  return `WITH i AS (
  ${input(layout, claimed)}
), r AS (
  INSERT INTO runs (id, kind, name, lane, priority, status, params, metadata, tags, idempotency_key, spec_hash,
    correlation_id, parent_run_id, retry_of_run_id, trigger_source, max_attempts, retry_delay_ms, timeout_ms,
    dead_letter, available_at, dispatch_after${begins.columns}${
      extended ? ', expires_at, run_deadline_at, singleton_key, retry_policy, gates, params_ref' : ''
    }${owner.map(([column]) => `, ${column}`).join('')}${traced ? ', trace_context' : ''})
  SELECT i.id, i.kind, i.name, i.lane, i.priority, ${begins.status},
    i.params::jsonb, i.metadata::jsonb, i.tags::text[], i.idempotency_key, i.spec_hash,
    i.correlation_id, i.parent_run_id, i.retry_of_run_id, i.trigger_source, i.max_attempts, i.retry_delay_ms,
    i.timeout_ms, i.dead_letter, COALESCE(i.run_after, now()),
    ${begins.dispatch_after}${begins.values}${
      extended
        ? `,
    i.expires_at, GREATEST(i.run_after, now()) + i.deadline_ms * interval '1 millisecond', i.singleton_key,
    i.retry_policy::jsonb, i.gates::jsonb, i.params_ref`
        : ''
    }${owner.map(([, value]) => `, ${value}`).join('')}${traced ? ', i.trace_context' : ''}
  FROM i${
    fenced
      ? `
  WHERE i.parent_epoch IS NULL OR EXISTS (SELECT 1 FROM runs p
    WHERE p.id = i.parent_run_id AND p.epoch = i.parent_epoch AND p.status || '' = 'running' FOR SHARE)`
      : ''
  }
  ${conflicts ? 'ON CONFLICT DO NOTHING' : ''}
  RETURNING id, status, created_at, trigger_source${owned ? ', submitted_by' : ''}
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, source${owned ? ', data' : ''})
  SELECT id, 0, 'submitted', trigger_source${
    owned
      ? `,
    CASE WHEN submitted_by IS NOT NULL THEN jsonb_build_object('submitted_by', submitted_by) END`
      : ''
  } FROM r${
    claimed
      ? ` UNION ALL
  SELECT id, 1, 'started', 'worker:' || ${workerId}::text${owned ? ', NULL' : ''} FROM r WHERE status = 'running'`
      : ''
  }
)
${
  conflicts || fenced
    ? 'SELECT id, status, created_at FROM r'
    : `SELECT now() AS created_at, (SELECT array_agg(id) FROM r WHERE status = 'pending') AS pending${
        claimed ? `, (SELECT array_agg(id) FROM r WHERE status = 'running') AS running` : ''
      }`
}`;
}

interface Statement {
  readonly name: string;
  readonly text: string;
  readonly layout: InsertLayout;
}

const STATEMENTS = new Map<string, Statement>();

function statementFor(variant: Variant): Statement {
  const { conflicts, fenced, extended, owned, derived, traced, claimed, alike, unmarked } = variant;
  const parts = [
    conflicts && '_c',
    fenced && '_f',
    extended && '_x',
    owned && '_o',
    derived && '_d',
    traced && '_t',
    claimed && '_h',
    alike && '_a',
    unmarked && '_u',
  ];
  const name = `spine_insert_runs${parts.filter((part) => part !== false).join('')}`;
  const known = STATEMENTS.get(name);
  if (known !== undefined) return known;
  const layout = layoutOf(variant);
  const statement = { name, text: insertSql(variant, layout), layout };
  STATEMENTS.set(name, statement);
  return statement;
}

function claimParameters(runs: readonly NewRun[], { workerId, leaseMs, runIds }: ClaimOnInsert): unknown[] {
  return [plainArray(runs.map((run) => runIds.has(run.runId) && startsAtOnce(run))), workerId, leaseMs];
}

/** The statement that inserts runs as these, and its values. */
export function insertQuery(
  runs: readonly NewRun[],
  info: InsertInfo,
): { readonly variant: Pick<Variant, 'conflicts' | 'fenced'>; readonly query: QueryConfig } {
  const { hinted, claim = null } = info;
  const variant: Variant = {
    ...shapeOf(runs),
    // ON CONFLICT costs a tenth of the insert: only where a conflict is possible.
    conflicts: info.ambiguous || runs.some((run) => run.idempotencyKey !== null),
    fenced: runs.some((run) => run.parentEpoch !== null),
    derived: runs.some((run) => run.parentRunId !== null || run.retryOfRunId !== null),
    claimed: claim !== null && claim.runIds.size > 0,
  };
  const { name, text, layout } = statementFor(variant);
  const claims = variant.claimed && claim !== null ? claimParameters(runs, claim) : [];
  return { variant, query: { name, text, values: [hinted, ...inputValues(layout, runs), ...claims] } };
}
