/**
 * Writing the audit log.
 *
 * 1. Every request that is not GET, HEAD or OPTIONS, whose caller is known and which reached an endpoint that may change
 *    something, is recorded before the endpoint is called, in a commit of its own. What cannot be recorded is not done: 503.
 * 2. It is ended before its answer leaves. A record without an end is of a request that is under way, or of a process that
 *    died in between: a change without a record is not possible.
 * 3. What never reached an endpoint (403, a body that cannot be read) is recorded as ended, before its answer leaves.
 * 4. What is not recorded: submits that were accepted, because the run and its first event carry the principal in the
 *    transaction that stores them; submits that were not, because they changed nothing; deliveries of webhooks, which have a
 *    table of their own; endpoints of the scope `read`; requests over the rate limit.
 * 5. An end that cannot be written does not undo what was done: it goes to the log with everything it would have said, and
 *    the record stays as it began.
 */
import { hostname } from 'node:os';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isStorableText } from '@spine/core';
import { appendAudit, beginAudit, endAudit } from '@spine/database';
import type { AuditEnd, BegunAuditRecord, Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import { knownPrincipalOf } from '../auth/principal.ts';
import type { RouteAccess } from '../auth/route-access.ts';
import { auditJson, auditRequestJson } from './redact.ts';

const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Invariant 4: their rows say who. */
const SUBMITS: ReadonlySet<string> = new Set(['/api/v1/runs', '/api/v1/runs/batch']);
/** Makes the table where there is none, or what it lacks: its record may have to wait for that. */
const MIGRATES = '/api/v1/database/init';

/** A definition as it was and as it is; absent for what was not there or is gone. */
export interface Change {
  readonly before?: unknown;
  readonly after?: unknown;
  /** How many things a request about many has changed. */
  readonly touched?: number;
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

const PROCESS = `${hostname()}:${process.pid}`;

/** What is known of a request before it changes anything; null where nothing is recorded. */
function recordOf(access: RouteAccess, request: FastifyRequest): BegunAuditRecord | null {
  const { method } = request;
  if (READING.has(method)) return null;
  const principal = knownPrincipalOf(request);
  const route = request.routeOptions.url;
  const scope = access.of(method, route)?.scope;
  if (principal === null || route === undefined || scope === undefined) return null;
  if (scope === 'read' || scope === 'open' || scope === 'signed') return null;
  const targets = targetsOf(request.params);
  return {
    principalType: principal.type,
    principalId: principal.id,
    principalName: principal.name,
    namespace: principal.namespace,
    method,
    route,
    targets,
    target: Object.values(targets).at(-1) ?? null,
    requestId: request.id,
    remoteAddress: request.ip,
    process: PROCESS,
    // What work was asked for stands with the run.
    request: scope === 'submit' ? null : auditRequestJson(request.body),
  };
}

function endOf(request: FastifyRequest, status: number): AuditEnd {
  const { before, after, touched = null } = changes.get(request) ?? {};
  return { status, before: auditJson(before), after: auditJson(after), touched };
}

export interface AuditOptions {
  readonly db: Queryable;
  readonly access: RouteAccess;
  readonly logger: Logger;
}

export class AuditWriter {
  readonly #options: AuditOptions;
  /** The records of requests that have begun; null once ended. Gone with their requests. */
  readonly #begun = new WeakMap<FastifyRequest, string | null>();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /**
   * Called when a request is about to be handled; null where nothing is recorded before that.
   * @throws (the promise) the driver's error: then it must not be handled.
   */
  begin(request: FastifyRequest): Promise<void> | null {
    const { db, access, logger } = this.#options;
    const route = request.routeOptions.url;
    if (route !== undefined && SUBMITS.has(route)) return null;
    const record = recordOf(access, request);
    if (record === null) return null;
    return beginAudit(db, record).then(
      (auditId) => void this.#begun.set(request, auditId),
      (error: unknown) => {
        if (route !== MIGRATES) throw error;
        logger.warn({ err: error }, 'the audit log cannot be written before the migrations are applied');
      },
    );
  }

  /** Called when a request has its answer; null where nothing is recorded. Never fails. */
  end(request: FastifyRequest, reply: FastifyReply): Promise<void> | null {
    if (READING.has(request.method)) return null;
    const { db, access } = this.#options;
    const status = reply.statusCode;
    const auditId = this.#begun.get(request);
    // An answer that is replaced on its way out is one answer.
    if (auditId === null) return null;
    if (auditId !== undefined) {
      this.#begun.set(request, null);
      const end = endOf(request, status);
      return this.#kept({ audit_id: auditId, ...end }, () => endAudit(db, auditId, end));
    }
    const route = request.routeOptions.url;
    if (status === 429 || (route !== undefined && SUBMITS.has(route) && status !== 403)) return null;
    const record = recordOf(access, request);
    if (record === null) return null;
    const end = endOf(request, status);
    return this.#kept({ ...record, ...end }, () => appendAudit(db, record, end));
  }

  async #kept(said: Readonly<Record<string, unknown>>, write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#options.logger.error({ err: error, audit: said }, 'the audit log could not be written');
    }
  }
}
