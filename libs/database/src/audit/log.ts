/**
 * The audit log: who called what that changes something. The one owner of `audit_log`.
 *
 * 1. A record is begun, in a commit of its own, before anything is changed, and ended once, after it. One that was begun
 *    and has no end is of a call that is under way, or of a process that died: what it changed is not known.
 * 2. An end changes what was not known before (status, before, after, touched) and nothing else; a trigger holds that for
 *    whoever writes. Nothing is deleted.
 * 3. What never began (a refusal) is recorded as ended in one statement.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { InvariantError } from '@spine/core';
import { COUNTED_ROWS, ledgerPage } from '../ledger/pages.ts';
import type { LedgerPage } from '../ledger/pages.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

export type AuditPrincipalType = 'local' | 'static' | 'key';

/** What is known before a call changes anything. */
export interface BegunAuditRecord {
  readonly principalType: AuditPrincipalType;
  /** `local`, `static:<position>` or `key:<id>`. */
  readonly principalId: string;
  readonly principalName: string;
  readonly namespace: string | null;
  readonly method: string;
  /** The route's pattern. */
  readonly route: string;
  /** What stood in the place of the pattern's names. */
  readonly targets: Readonly<Record<string, string>>;
  /** The last of them; null for none. */
  readonly target: string | null;
  readonly requestId: string;
  readonly remoteAddress: string;
  /** `<host>:<pid>` that serves it. */
  readonly process: string;
  /** JSON text of what was asked for; null where that is not kept. */
  readonly request: string | null;
}

/** What became of a call. */
export interface AuditEnd {
  /** Of the answer. */
  readonly status: number;
  /** JSON text of the definition before and after, where one was changed. */
  readonly before: string | null;
  readonly after: string | null;
  /** How many things a call about many has changed; null for a call about one. */
  readonly touched: number | null;
}

/**
 * `begun`: not ended; see the first invariant. `done`: the answer was a success. `refused`: a 4xx, nothing was changed but what
 * the endpoint says of its refusals. `failed`: a 5xx.
 */
export const AUDIT_OUTCOMES = ['begun', 'done', 'refused', 'failed'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export function auditOutcome(status: number | null): AuditOutcome {
  if (status === null) return 'begun';
  if (status < 400) return 'done';
  return status < 500 ? 'refused' : 'failed';
}

const OF_OUTCOME: Readonly<Record<AuditOutcome, RawBuilder<boolean>>> = {
  begun: sql`status IS NULL`,
  done: sql`status < 400`,
  refused: sql`status >= 400 AND status < 500`,
  failed: sql`status >= 500`,
};

export interface AuditRecord
  extends Omit<BegunAuditRecord, 'process' | 'request'>, Omit<AuditEnd, 'status' | 'before' | 'after'> {
  readonly auditId: string;
  /** When it began; of records of earlier releases when it ended. */
  readonly at: Date;
  /** Null: see `begun`; and for records of earlier releases. */
  readonly endedAt: Date | null;
  readonly outcome: AuditOutcome;
  /** Null until it has ended. */
  readonly status: number | null;
  /** Null for records of earlier releases. */
  readonly process: string | null;
  readonly request: unknown;
  readonly before: unknown;
  readonly after: unknown;
}

export interface AuditFilter {
  readonly principalId?: string;
  readonly method?: string;
  readonly route?: string;
  /** A run, a schedule, a key: the last name in the path. */
  readonly target?: string;
  readonly requestId?: string;
  readonly outcome?: AuditOutcome;
  readonly since?: Date;
  readonly until?: Date;
}

/** The record a page goes on after. */
export interface AuditPosition {
  readonly at: Date;
  readonly auditId: string;
}

const BEGUN_COLUMNS = `principal_type, principal_id, principal_name, namespace, method, route, targets, target, request_id,
  remote_address, process, request`;
const BEGUN_VALUES = '$1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12::jsonb';

function begunValues(record: BegunAuditRecord): unknown[] {
  return [
    record.principalType,
    record.principalId,
    record.principalName,
    record.namespace,
    record.method,
    record.route,
    JSON.stringify(record.targets),
    record.target,
    record.requestId,
    record.remoteAddress,
    record.process,
    record.request,
  ];
}

function endValues({ status, before, after, touched }: AuditEnd): unknown[] {
  return [status, before, after, touched];
}

/** Records that a call begins. @returns its id, for {@link endAudit}. */
export async function beginAudit(db: Queryable, record: BegunAuditRecord): Promise<string> {
  const { rows } = await db.query<{ audit_id: number }>({
    name: 'spine_begin_audit',
    text: `INSERT INTO audit_log (${BEGUN_COLUMNS}) VALUES (${BEGUN_VALUES}) RETURNING audit_id`,
    values: begunValues(record),
  });
  const [row] = rows;
  if (row === undefined) throw new InvariantError('a record of the audit log was not answered');
  return String(row.audit_id);
}

/** Records how a call ended that {@link beginAudit} has recorded. False when it has ended already: once is all. */
export async function endAudit(db: Queryable, auditId: string, end: AuditEnd): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'spine_end_audit',
    text: `UPDATE audit_log SET status = $2, before = $3::jsonb, after = $4::jsonb, touched = $5,
  ended_at = GREATEST(clock_timestamp(), at)
WHERE audit_id = $1::bigint AND status IS NULL`,
    values: [auditId, ...endValues(end)],
  });
  return rowCount === 1;
}

/** Records a call that has ended and never began. */
export async function appendAudit(db: Queryable, record: BegunAuditRecord, end: AuditEnd): Promise<void> {
  await db.query({
    name: 'spine_append_audit',
    text: `INSERT INTO audit_log (${BEGUN_COLUMNS}, status, before, after, touched, ended_at)
VALUES (${BEGUN_VALUES}, $13, $14::jsonb, $15::jsonb, $16, now())`,
    values: [...begunValues(record), ...endValues(end)],
  });
}

interface AuditRow {
  audit_id: number;
  at: Date;
  ended_at: Date | null;
  principal_type: AuditPrincipalType;
  principal_id: string;
  principal_name: string;
  namespace: string | null;
  method: string;
  route: string;
  targets: Record<string, string>;
  target: string | null;
  status: number | null;
  request_id: string;
  remote_address: string;
  process: string | null;
  request: unknown;
  before: unknown;
  after: unknown;
  touched: number | null;
}

function toRecord(row: AuditRow): AuditRecord {
  return {
    auditId: String(row.audit_id),
    at: row.at,
    endedAt: row.ended_at,
    principalType: row.principal_type,
    principalId: row.principal_id,
    principalName: row.principal_name,
    namespace: row.namespace,
    method: row.method,
    route: row.route,
    targets: row.targets,
    target: row.target,
    outcome: auditOutcome(row.status),
    status: row.status,
    requestId: row.request_id,
    remoteAddress: row.remote_address,
    process: row.process,
    request: row.request,
    before: row.before,
    after: row.after,
    touched: row.touched,
  };
}

function matching(filter: AuditFilter) {
  const parts = [
    ...(filter.principalId === undefined ? [] : [sql`principal_id = ${filter.principalId}`]),
    ...(filter.method === undefined ? [] : [sql`method = ${filter.method}`]),
    ...(filter.route === undefined ? [] : [sql`route = ${filter.route}`]),
    ...(filter.target === undefined ? [] : [sql`target = ${filter.target}`]),
    ...(filter.requestId === undefined ? [] : [sql`request_id = ${filter.requestId}`]),
    ...(filter.outcome === undefined ? [] : [OF_OUTCOME[filter.outcome]]),
    ...(filter.since === undefined ? [] : [sql`at >= ${filter.since}`]),
    ...(filter.until === undefined ? [] : [sql`at < ${filter.until}`]),
  ];
  return parts.length === 0 ? sql`true` : sql.join(parts, sql` AND `);
}

/** Records that match, the newest first. */
export async function listAudit(
  db: Db,
  filter: AuditFilter,
  page: { readonly limit: number; readonly offset: number; readonly after?: AuditPosition },
): Promise<LedgerPage<AuditRecord>> {
  const wanted = matching(filter);
  const older =
    page.after === undefined
      ? sql`true`
      : sql`(at, audit_id) < (${page.after.at}::timestamptz(3), ${page.after.auditId}::bigint)`;
  const found = sql<AuditRow>`
    SELECT audit_id, at, ended_at, principal_type, principal_id, principal_name, namespace, method, route, targets, target,
      status, request_id, remote_address, process, request, before, after, touched
    FROM audit_log WHERE ${wanted} AND ${older}
    ORDER BY at DESC, audit_id DESC LIMIT ${page.limit + 1}::integer OFFSET ${page.offset}::integer`.execute(
    db,
  );
  return ledgerPage(
    db,
    found.then(({ rows }) => rows),
    sql`(SELECT 1 FROM audit_log WHERE ${wanted} LIMIT ${COUNTED_ROWS}::integer)`,
    page.limit,
    toRecord,
  );
}
