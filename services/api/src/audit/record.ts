/**
 * Writing the audit log.
 *
 * 1. Every request that is not GET, HEAD or OPTIONS, whose caller is known and which reached an endpoint that may change
 *    something, is recorded before its answer leaves: whoever has an answer is in the log. Refusals (403) are recorded too.
 * 2. What is not recorded: submits that were accepted, because the run and its first event carry the principal in the
 *    transaction that stores them; submits that were not, because they changed nothing; deliveries of webhooks, which have a
 *    table of their own; endpoints of the scope `read`; requests over the rate limit.
 * 3. A record that cannot be written does not undo what was done: it goes to the log with everything it would have said.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isStorableText } from '@spine/core';
import { appendAudit } from '@spine/database';
import type { NewAuditRecord, Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import { knownPrincipalOf } from '../auth/principal.ts';
import type { RouteAccess } from '../auth/route-access.ts';
import { auditJson } from './redact.ts';

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Invariant 2: their rows say who. */
const SUBMITS: ReadonlySet<string> = new Set(['/api/v1/runs', '/api/v1/runs/batch']);

export class AuditWriter {
  readonly #db: Queryable;
  readonly #logger: Logger;

  constructor(db: Queryable, logger: Logger) {
    this.#db = db;
    this.#logger = logger;
  }

  async write(record: NewAuditRecord): Promise<void> {
    try {
      await appendAudit(this.#db, record);
    } catch (error) {
      this.#logger.error({ err: error, audit: record }, 'the audit log could not be written');
    }
  }
}

/** A definition as it was and as it is; absent for what was not there or is gone. */
export interface Change {
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Gone with their requests. */
const changes = new WeakMap<FastifyRequest, Change>();

/** Says what a request changes, for its record in the audit log. Secrets in it are left out. */
export function auditChange(request: FastifyRequest, change: Change): void {
  changes.set(request, { ...changes.get(request), ...change });
}

function targetsOf(params: unknown): Record<string, string> {
  if (typeof params !== 'object' || params === null) return {};
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, value]) =>
      // A path may hold what Postgres cannot.
      typeof value === 'string' && isStorableText(value) ? [[name, value.slice(0, 200)]] : [],
    ),
  );
}

/** Null where nothing is recorded. */
export function recordAudit(
  writer: AuditWriter,
  access: RouteAccess,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> | null {
  const { method } = request;
  if (READING.has(method)) return null;
  const principal = knownPrincipalOf(request);
  const route = request.routeOptions.url;
  const scope = access.of(method, route)?.scope;
  if (principal === null || route === undefined || scope === undefined) return null;
  if (scope === 'read' || scope === 'open' || scope === 'signed') return null;
  const status = reply.statusCode;
  if (status === 429 || (SUBMITS.has(route) && status !== 403)) return null;
  const targets = targetsOf(request.params);
  const change = changes.get(request) ?? {};
  return writer.write({
    principalType: principal.type,
    principalId: principal.id,
    principalName: principal.name,
    namespace: principal.namespace,
    method,
    route,
    targets,
    target: Object.values(targets).at(-1) ?? null,
    status,
    requestId: request.id,
    remoteAddress: request.ip,
    before: auditJson(change.before),
    after: auditJson(change.after),
  });
}
