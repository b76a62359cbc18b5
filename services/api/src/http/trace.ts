/**
 * A span for each request, under what its `traceparent` header names.
 *
 * 1. It is named after the pattern of the route: no path, no query and no header of a caller is part of it. 2. It is active
 * where the endpoint runs. The body arrives by events of the socket, which know of no request: it is made active again
 * behind them. 3. It ends with the answer, or when the client goes away.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isTracing, parseTraceparent, startSpan } from '@spine/observability';
import type { Span } from '@spine/observability';

/** Asked for all the time by machines. */
const UNTRACED: ReadonlySet<string> = new Set(['/health', '/health/live', '/health/ready', '/metrics']);

const spans = new WeakMap<FastifyRequest, Span>();

function parentOf({ headers }: FastifyRequest): string | null {
  const { traceparent } = headers;
  return typeof traceparent === 'string' && parseTraceparent(traceparent) !== null ? traceparent : null;
}

function begin(request: FastifyRequest): Span | null {
  const route = request.routeOptions.url ?? 'unknown';
  if (!isTracing() || UNTRACED.has(route)) return null;
  const { method } = request;
  const span = startSpan(`${method} ${route}`, {
    kind: 'server',
    parent: parentOf(request),
    attributes: { 'http.request.method': method, 'http.route': route, 'spine.request_id': request.id },
  });
  spans.set(request, span);
  return span;
}

/** Before every other hook, so that what they log and refuse belongs to the request. */
export function traceRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const span = begin(request);
    if (span === null) done();
    else span.run(done);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    const span = spans.get(request);
    if (span === undefined) done();
    else span.run(done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request);
    if (span !== undefined) {
      spans.delete(request);
      span.set({ 'http.response.status_code': reply.statusCode });
      if (reply.statusCode >= 500) span.fail(String(reply.statusCode));
      span.end();
    }
    done();
  });
  fastify.addHook('onRequestAbort', (request, done) => {
    const span = spans.get(request);
    if (span !== undefined) {
      spans.delete(request);
      span.set({ 'spine.outcome': 'aborted' });
      span.end();
    }
    done();
  });
}
