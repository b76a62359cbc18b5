/** The audit log: who called what that changes something. The one owner of `audit_log`, which is only ever added to. */
import { sql } from 'kysely';
import { COUNTED_ROWS, ledgerPage } from '../ledger/pages.ts';
import type { LedgerPage } from '../ledger/pages.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

export type AuditPrincipalType = 'local' | 'static' | 'key';

export interface NewAuditRecord {
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
  /** Of the answer. */
  readonly status: number;
  readonly requestId: string;
  readonly remoteAddress: string;
  /** JSON text of the definition before and after, where one was changed. */
  readonly before: string | null;
  readonly after: string | null;
}

export interface AuditRecord extends Omit<NewAuditRecord, 'before' | 'after'> {
  readonly auditId: string;
  readonly at: Date;
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
  readonly since?: Date;
  readonly until?: Date;
}

/** The record a page goes on after. */
export interface AuditPosition {
  readonly at: Date;
  readonly auditId: string;
}

export async function appendAudit(db: Queryable, record: NewAuditRecord): Promise<void> {
  await db.query({
    name: 'spine_append_audit',
    text: `INSERT INTO audit_log (principal_type, principal_id, principal_name, namespace, method, route, targets, target,
  status, request_id, remote_address, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12::jsonb, $13::jsonb)`,
    values: [
      record.principalType,
      record.principalId,
      record.principalName,
      record.namespace,
      record.method,
      record.route,
      JSON.stringify(record.targets),
      record.target,
      record.status,
      record.requestId,
      record.remoteAddress,
      record.before,
      record.after,
    ],
  });
}

interface AuditRow {
  audit_id: number;
  at: Date;
  principal_type: AuditPrincipalType;
  principal_id: string;
  principal_name: string;
  namespace: string | null;
  method: string;
  route: string;
  targets: Record<string, string>;
  target: string | null;
  status: number;
  request_id: string;
  remote_address: string;
  before: unknown;
  after: unknown;
}

function toRecord(row: AuditRow): AuditRecord {
  return {
    auditId: String(row.audit_id),
    at: row.at,
    principalType: row.principal_type,
    principalId: row.principal_id,
    principalName: row.principal_name,
    namespace: row.namespace,
    method: row.method,
    route: row.route,
    targets: row.targets,
    target: row.target,
    status: row.status,
    requestId: row.request_id,
    remoteAddress: row.remote_address,
    before: row.before,
    after: row.after,
  };
}

function matching(filter: AuditFilter) {
  const parts = [
    ...(filter.principalId === undefined ? [] : [sql`principal_id = ${filter.principalId}`]),
    ...(filter.method === undefined ? [] : [sql`method = ${filter.method}`]),
    ...(filter.route === undefined ? [] : [sql`route = ${filter.route}`]),
    ...(filter.target === undefined ? [] : [sql`target = ${filter.target}`]),
    ...(filter.requestId === undefined ? [] : [sql`request_id = ${filter.requestId}`]),
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
    SELECT audit_id, at, principal_type, principal_id, principal_name, namespace, method, route, targets, target, status,
      request_id, remote_address, before, after
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
