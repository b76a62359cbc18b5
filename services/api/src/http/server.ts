/** The HTTP server under Nest: what holds for every request, whoever routes it. */
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger, Metrics } from '@spine/observability';
import type { AuditWriter } from '../audit/record.ts';
import type { Admission } from '../auth/admission.ts';
import type { RouteAccess } from '../auth/route-access.ts';
import { unlessUnchanged } from './etag.ts';
import { PROBLEMS } from './problem.ts';
import { logFault } from './problem.filter.ts';
import { requestIdOf } from './request-id.ts';
import { setResponseHeaders } from './response-headers.ts';
import { PROBLEM_MEDIA_TYPE, sendProblem } from './send-problem.ts';
import { takeStrictJson } from './strict-body.ts';
import { traceRequests } from './trace.ts';
import { MAX_BODY_BYTES, toProblem } from './to-problem.ts';

/** Of handlers: see LIMITS.name of the execution package. */
const MAX_NAME_LENGTH = 200;

export interface ServerOptions {
  readonly admission: Admission;
  /** What each route asks for. */
  readonly access: RouteAccess;
  readonly audit: AuditWriter;
  /** Proxies before the server that are believed about the client's address. */
  readonly trustProxyHops: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Bytes of a body that carries params; see {@link CARRIES_PARAMS}. */
  readonly submitBodyBytes: number;
}

/** Endpoints whose bodies may be as large as params may be. */
const CARRIES_PARAMS: ReadonlySet<string> = new Set(['/api/v1/runs', '/api/v1/runs/batch']);

/** Whether a request may pass; it has its answer where not. */
async function mayPass(
  { admission, metrics }: ServerOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const { problem, headers } = await admission(request);
  void reply.headers(headers);
  if (problem !== null) {
    metrics.httpRefusals.inc({ reason: problem.code.toLowerCase() });
    void sendProblem(reply, problem);
  }
  return problem === null;
}

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request took too long to arrive',
};

/** Text that is not HTTP gets an answer too, before there is a request. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({
    type: 'urn:spine:problem:validation-failed',
    title: PROBLEMS.VALIDATION_FAILED.title,
    status: 400,
    detail: CLIENT_ERRORS[error.code ?? ''] ?? 'the request is not HTTP/1.1',
    code: 'VALIDATION_FAILED',
    errors: [],
  });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function observe(fastify: FastifyInstance, logger: Logger, metrics: Metrics): void {
  const verbose = logger.isLevelEnabled('debug');
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    metrics.httpSeconds.labels(request.method, route, status).observe(reply.elapsedTime / 1000);
    if (verbose) {
      const { id: request_id, method } = request;
      logger.debug({ request_id, method, route, status: reply.statusCode, ms: reply.elapsedTime }, 'request');
    }
    done();
  });
}

/** A method and the pattern of its path, e.g. `GET /api/v1/runs/:run_id`. */
export interface Route {
  readonly method: string;
  readonly pattern: string;
}

export interface Server {
  readonly adapter: FastifyAdapter;
  /** Every route there is, whoever registered it; complete once the application is ready. */
  readonly routes: readonly Route[];
}

/** A Fastify adapter with admission, strict bodies, response headers and metrics in place. */
export function createServer(options: ServerOptions): Server {
  const { access, audit, trustProxyHops, logger, metrics, submitBodyBytes } = options;
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    genReqId: requestIdOf,
    requestIdHeader: false,
    // A handler's name is part of a path.
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    // Nest's middleware is not used; its hook would run for every request.
    skipMiddie: true,
    // While stopping, requests that still arrive on open connections are served: their clients were never told.
    return503OnClosing: false,
    requestTimeout: 60_000,
    // Never `true`: whoever can reach the server could say to be anybody.
    trustProxy: trustProxyHops === 0 ? false : (_address: string, hop: number) => hop < trustProxyHops,
    clientErrorHandler: answerClientError,
    // A path the router cannot read runs no hook.
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      setResponseHeaders(reply);
      mayPass(options, request, reply).then(
        (passes) => {
          if (passes) void sendProblem(reply, toProblem(error));
        },
        (fault: unknown) => void sendProblem(reply, toProblem(fault)),
      );
    },
  });
  const fastify = adapter.getInstance();
  const routes: Route[] = [];
  fastify.addHook('onRoute', (route) => {
    const { method, url } = route;
    if (CARRIES_PARAMS.has(url)) route.bodyLimit = submitBodyBytes;
    routes.push(...[method].flat().map((each) => ({ method: each, pattern: url })));
  });
  traceRequests(fastify);
  takeStrictJson(fastify, access);
  fastify.addHook('onRequest', (request, reply, done) => {
    mayPass(options, request, reply).then((passes) => {
      if (passes) done();
    }, done);
  });
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onSend', (request, reply, payload, done) => {
    setResponseHeaders(reply);
    // A connection that was busy when the server closed would stay open, idle, until its keep-alive time is over.
    if (closing) void reply.header('connection', 'close');
    const sent = unlessUnchanged(reply, payload);
    const ended = audit.end(request, reply);
    if (ended === null) done(null, sent);
    else void ended.then(() => done(null, sent));
  });
  // The last before the endpoint: what is refused earlier has changed nothing.
  fastify.addHook('preHandler', (request, reply, done) => {
    const begun = audit.begin(request);
    if (begun === null) return done();
    begun.then(
      () => done(),
      (error: unknown) => {
        const problem = toProblem(error);
        logFault(logger, reply, problem, error);
        void sendProblem(reply, problem);
      },
    );
  });
  observe(fastify, logger, metrics);
  return { adapter, routes };
}
