import type { FastifyReply } from 'fastify';
import { isPage } from '../auth/route-access.ts';
import { elapsedMs } from './envelope.ts';
import { isIdentified } from './etag.ts';

/**
 * The pages load their own files and nothing else. Bull Board's page names a font server, which would tell a third party
 * of every visit, and make the page wait where there is no network.
 */
const PAGE_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

/** Headers of every answer, errors included. */
export function setResponseHeaders(reply: FastifyReply): void {
  const { request } = reply;
  const elapsed = elapsedMs(reply);
  void reply.header('x-request-id', request.id);
  void reply.header('x-process-time-ms', elapsed);
  void reply.header('server-timing', `total;dur=${elapsed}`);
  void reply.header('x-content-type-options', 'nosniff');
  if (isPage(request.routeOptions.url)) void reply.header('content-security-policy', PAGE_POLICY);
  else void reply.header('cache-control', isIdentified(reply) ? 'private, no-cache' : 'no-store');
}
