/** The statement of insert.ts: text for what its runs have, and nothing that none of them has. */
import type { QueryConfig } from 'pg';
import { priorityRank } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import { PAUSED_LANES } from './claim.ts';
import type { ClaimOnInsert, InsertInfo, NewRun } from './insert.ts';

/** How long a hint may take before the relay sends another. */
export const HINT_GRACE = "interval '15 seconds'";

/** Runs due later than this get no hint at submit: it would only occupy the queue's memory. The relay sends it in time. */
export const HINT_HORIZON_MS = 3_600_000;

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

interface Variant {
  readonly conflicts: boolean;
  readonly fenced: boolean;
  /** Whether some run uses an option of {@link RARE}. */
  readonly extended: boolean;
  /** Whether some run has a namespace or a principal of its own. */
  readonly owned: boolean;
  /** Whether some run comes from another one, whose namespace it takes on. */
  readonly derived: boolean;
  /** Whether some run is traced. */
  readonly traced: boolean;
  /** Whether some run is to be stored as claimed. */
  readonly claimed: boolean;
}

const INPUT = [
  ['id', 'uuid'],
  ['kind', 'text'],
  ['name', 'text'],
  ['lane', 'text'],
  ['priority', 'smallint'],
  ['params', 'text'],
  ['metadata', 'text'],
  ['tags', 'text'],
  ['idempotency_key', 'text'],
  ['spec_hash', 'text'],
  ['correlation_id', 'text'],
  ['parent_run_id', 'uuid'],
  ['parent_epoch', 'bigint'],
  ['retry_of_run_id', 'uuid'],
  ['trigger_source', 'text'],
  ['max_attempts', 'integer'],
  ['retry_delay_ms', 'bigint'],
  ['timeout_ms', 'bigint'],
  ['dead_letter', 'boolean'],
  ['run_after', 'timestamptz'],
] as const;

/** Few runs have these: an array of nulls each would be paid by all the others. */
const RARE = [
  ['expires_at', 'timestamptz'],
  ['deadline_ms', 'bigint'],
  ['singleton_key', 'text'],
  ['retry_policy', 'text'],
  ['gates', 'text'],
  ['params_ref', 'text'],
] as const;

/** Absent in local mode. */
const OWNER = [
  ['namespace', 'text'],
  ['submitted_by', 'text'],
] as const;

/** Absent where nothing is traced. */
const TRACE = [['trace_context', 'text']] as const;

/** Absent where every run is queued. The worker and its lease follow the arrays. */
const CLAIM = [['claimed', 'boolean']] as const;

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
  if (!claimed) return { ...waiting, columns: '', values: '', input: '*' };
  return {
    status: `CASE WHEN i.held THEN 'running' WHEN i.run_after > now() THEN 'pending' ELSE 'queued' END`,
    dispatch_after: `CASE WHEN NOT i.held THEN ${waiting.dispatch_after} END`,
    columns: ', epoch, attempt, lease_owner, lease_expires_at, deadline_at, started_at',
    // The lease is counted from when the worker was asked, which is no earlier than its transaction.
    values: `, i.held::int, i.held::int, CASE WHEN i.held THEN ${workerId}::uuid END,
    CASE WHEN i.held THEN statement_timestamp() + ${leaseMs}::bigint * interval '1 millisecond' END,
    CASE WHEN i.held THEN statement_timestamp() + i.timeout_ms * interval '1 millisecond' END,
    CASE WHEN i.held THEN statement_timestamp() END`,
    input: `*, claimed AND lane <> ALL (${PAUSED_LANES}) AS held`,
  };
}

type Beginning = 'status' | 'dispatch_after' | 'columns' | 'values' | 'input';

function insertSql(variant: Variant): string {
  const { conflicts, fenced, extended, owned, traced, claimed } = variant;
  const input = [
    ...INPUT,
    ...(extended ? RARE : []),
    ...(owned ? OWNER : []),
    ...(traced ? TRACE : []),
    ...(claimed ? CLAIM : []),
  ];
  const owner = ownerColumns(variant);
  const workerId = `$${input.length + 2}`;
  const begins = beginning(variant, workerId, `$${input.length + 3}`);
  return `WITH i AS (
  SELECT ${begins.input} FROM unnest(${input.map(([, type], index) => `$${index + 2}::${type}[]`).join(', ')})
    AS t(${input.map(([name]) => name).join(', ')})
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

const STATEMENTS = new Map<string, string>();

function statementFor(variant: Variant): { name: string; text: string } {
  const { conflicts, fenced, extended, owned, derived, traced, claimed } = variant;
  const parts = [
    conflicts && '_c',
    fenced && '_f',
    extended && '_x',
    owned && '_o',
    derived && '_d',
    traced && '_t',
    claimed && '_h',
  ];
  const name = `spine_insert_runs${parts.filter((part) => part !== false).join('')}`;
  const text = STATEMENTS.get(name) ?? insertSql(variant);
  STATEMENTS.set(name, text);
  return { name, text };
}

function isExtended(run: NewRun): boolean {
  return (
    run.expiresAt !== null ||
    run.deadlineMs !== null ||
    run.singletonKey !== null ||
    run.retryPolicy !== null ||
    run.gates !== null ||
    run.paramsRef !== null
  );
}

function rareParameters(runs: readonly NewRun[]): unknown[] {
  return [
    plainArray(runs.map((run) => run.expiresAt?.toISOString() ?? null)),
    plainArray(runs.map((run) => run.deadlineMs)),
    textArray(runs.map((run) => run.singletonKey)),
    textArray(runs.map((run) => run.retryPolicy)),
    textArray(runs.map((run) => run.gates)),
    textArray(runs.map((run) => run.paramsRef)),
  ];
}

function ownerParameters(runs: readonly NewRun[]): unknown[] {
  return [textArray(runs.map((run) => run.namespace)), textArray(runs.map((run) => run.submittedBy))];
}

function claimParameters(runs: readonly NewRun[], { workerId, leaseMs, runIds }: ClaimOnInsert): unknown[] {
  return [plainArray(runs.map((run) => runIds.has(run.runId) && startsAtOnce(run))), workerId, leaseMs];
}

function parameters(
  runs: readonly NewRun[],
  { hinted, claim = null }: InsertInfo,
  { extended, owned, traced, claimed }: Variant,
): unknown[] {
  return [
    hinted,
    plainArray(runs.map((run) => run.runId)),
    plainArray(runs.map((run) => run.kind)),
    textArray(runs.map((run) => run.name)),
    textArray(runs.map((run) => run.lane)),
    plainArray(runs.map((run) => priorityRank(run.priority))),
    textArray(runs.map((run) => run.params)),
    textArray(runs.map((run) => run.metadata)),
    textArray(runs.map((run) => (run.tags.length === 0 ? '{}' : textArray(run.tags)))),
    textArray(runs.map((run) => run.idempotencyKey)),
    plainArray(runs.map((run) => run.specHash)),
    textArray(runs.map((run) => run.correlationId)),
    plainArray(runs.map((run) => run.parentRunId)),
    plainArray(runs.map((run) => run.parentEpoch)),
    plainArray(runs.map((run) => run.retryOfRunId)),
    textArray(runs.map((run) => run.triggerSource)),
    plainArray(runs.map((run) => run.maxAttempts)),
    plainArray(runs.map((run) => run.retryDelayMs)),
    plainArray(runs.map((run) => run.timeoutMs)),
    plainArray(runs.map((run) => run.deadLetter)),
    plainArray(runs.map((run) => run.runAfter?.toISOString() ?? null)),
    ...(extended ? rareParameters(runs) : []),
    ...(owned ? ownerParameters(runs) : []),
    ...(traced ? [textArray(runs.map((run) => run.traceContext))] : []),
    ...(claimed && claim !== null ? claimParameters(runs, claim) : []),
  ];
}

/** The statement that inserts runs as these, and its values. */
export function insertQuery(
  runs: readonly NewRun[],
  info: InsertInfo,
): { readonly variant: Pick<Variant, 'conflicts' | 'fenced'>; readonly query: QueryConfig } {
  const variant: Variant = {
    extended: runs.some(isExtended),
    // ON CONFLICT costs a tenth of the insert: only where a conflict is possible.
    conflicts: info.ambiguous || runs.some((run) => run.idempotencyKey !== null),
    fenced: runs.some((run) => run.parentEpoch !== null),
    owned: runs.some((run) => run.namespace !== null || run.submittedBy !== null),
    derived: runs.some((run) => run.parentRunId !== null || run.retryOfRunId !== null),
    traced: runs.some((run) => run.traceContext !== null),
    claimed: info.claim !== undefined && info.claim !== null && info.claim.runIds.size > 0,
  };
  return { variant, query: { ...statementFor(variant), values: parameters(runs, info, variant) } };
}
