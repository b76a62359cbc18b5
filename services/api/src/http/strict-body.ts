/**
 * Bodies: JSON text that can be stored exactly as it was sent, or a problem that names the field.
 *
 * Read as bytes, because a decoder would replace what is not UTF-8 without a word.
 */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseStrictJson } from '@spine/core';
import type { RouteAccess } from '../auth/route-access.ts';
import { HttpProblem, invalid } from './problem.ts';

/** @throws HttpProblem */
export function parseBody(body: Buffer): unknown {
  // A client that sets the header and sends nothing means no body.
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) {
    throw invalid([{ field: 'body', code: 'invalid_encoding', message: 'must be UTF-8' }]);
  }
  const parsed = parseStrictJson(body.toString('utf8'));
  if (parsed.isOk()) return parsed.value;
  throw invalid(
    parsed.error.map((problem) => ({ ...problem, field: problem.field === '' ? 'body' : problem.field })),
  );
}

/** Gone with their requests. */
const rawBodies = new WeakMap<object, Buffer>();

/** The bytes of the body of a request to a route that is signed; empty for none. */
export function rawBodyOf(request: FastifyRequest): Buffer {
  return rawBodies.get(request) ?? Buffer.alloc(0);
}

/** Makes JSON the only type of body this server takes. */
export function takeStrictJson(fastify: FastifyInstance, access: RouteAccess): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding !== 'identity') {
      done(new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'send the body without Content-Encoding'));
      return;
    }
    try {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
      if (access.isSigned(request.method, request.routeOptions.url)) rawBodies.set(request, bytes);
      done(null, parseBody(bytes));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
