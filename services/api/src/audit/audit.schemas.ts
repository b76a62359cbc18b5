/** The query and the answer of the audit log. */
import { z } from 'zod';
import { AUDIT_OUTCOMES } from '@spine/database';
import type { AuditFilter, AuditRecord } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';
import { instant, once, text } from '../http/query-values.ts';

export const auditQuery = z.strictObject({
  principal: text(100).optional().describe('`key:<id>`, `static:<position>` or `local`.'),
  method: once(z.enum(['POST', 'PUT', 'PATCH', 'DELETE'])).optional(),
  route: text(200).optional().describe('The pattern, e.g. `/api/v1/schedules/:schedule_id`.'),
  target: text(200).optional().describe('The last name in the path: a run, a schedule, a key.'),
  request_id: text(128).optional(),
  outcome: once(z.enum(AUDIT_OUTCOMES))
    .optional()
    .describe('begun: it has no end yet, or its process died before it could say what it had changed.'),
  since: instant.optional().describe('At or after.'),
  until: instant.optional().describe('Before.'),
  ...cursorPaging,
});
export type AuditQuery = z.infer<typeof auditQuery>;

export function auditFilter(query: AuditQuery): AuditFilter {
  const { principal, method, route, target, request_id, outcome, since, until } = query;
  return {
    ...(principal === undefined ? {} : { principalId: principal }),
    ...(method === undefined ? {} : { method }),
    ...(route === undefined ? {} : { route }),
    ...(target === undefined ? {} : { target }),
    ...(request_id === undefined ? {} : { requestId: request_id }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
}

export const auditJsonSchema = z
  .object({
    audit_id: z.string(),
    at: z.iso.datetime().describe('When it began: before anything was changed.'),
    ended_at: z.iso.datetime().nullable(),
    outcome: z
      .enum(AUDIT_OUTCOMES)
      .describe(
        'begun: under way, or its process died, and whether anything was changed has to be looked for. done, refused (4xx), failed (5xx).',
      ),
    principal: z.object({
      type: z.enum(['local', 'static', 'key']),
      id: z.string(),
      name: z.string(),
      namespace: z.string().nullable(),
    }),
    method: z.string(),
    route: z.string().describe('The pattern; `targets` has what stood in the place of its names.'),
    targets: z.record(z.string(), z.string()),
    status: z.int().nullable().describe('Of the answer; null until there is one.'),
    request_id: z.string(),
    remote_address: z.string(),
    process: z.string().nullable().describe('<host>:<pid> that served it.'),
    request: z
      .unknown()
      .describe('The body of a call of the scope operate or admin; secrets and documents are left out.'),
    touched: z.int().nullable().describe('How many things a call about many has changed.'),
    before: z.unknown().describe('The definition before, where one was changed; secrets are left out.'),
    after: z.unknown().describe('The definition after.'),
  })
  .meta({ id: 'AuditRecord', description: 'A call that changed something, or was refused.' });
export type AuditJson = z.infer<typeof auditJsonSchema>;

export function toAuditJson(record: AuditRecord): AuditJson {
  return {
    audit_id: record.auditId,
    at: record.at.toISOString(),
    ended_at: record.endedAt?.toISOString() ?? null,
    outcome: record.outcome,
    principal: {
      type: record.principalType,
      id: record.principalId,
      name: record.principalName,
      namespace: record.namespace,
    },
    method: record.method,
    route: record.route,
    targets: { ...record.targets },
    status: record.status,
    request_id: record.requestId,
    remote_address: record.remoteAddress,
    process: record.process,
    request: record.request,
    touched: record.touched,
    before: record.before,
    after: record.after,
  };
}
