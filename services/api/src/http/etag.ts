/**
 * ETags of answers that a version identifies wholly, and If-None-Match.
 *
 * 1. Only what never changes while its tag stays the same may be identified: 304 tells the client that what it has is right. A
 *    schedule has an ETag for If-Match, and a next time that moves on: it is not identified by it.
 * 2. The tag decides after the answer was made: rights, namespaces and 404 are looked at first.
 */
import type { FastifyReply } from 'fastify';

/** Gone with their answers. */
const identified = new WeakSet<FastifyReply>();

/** Says that the answer is what `tag` stands for, of all answers of its URL. @param tag letters, digits, dots and hyphens. */
export function identify(reply: FastifyReply, tag: string): void {
  identified.add(reply);
  void reply.header('etag', `"${tag}"`);
}

/** Whether a client may keep the answer, if it asks each time. */
export function isIdentified(reply: FastifyReply): boolean {
  return identified.has(reply);
}

/** As RFC 9110 compares for If-None-Match: weakly, any of a list, or `*`. */
export function listsTag(header: string, tag: string): boolean {
  const opaque = (text: string): string => text.trim().replace(/^W\//, '');
  return header.trim() === '*' || header.split(',').some((each) => opaque(each) === opaque(tag));
}

/** Makes an answer 304 where the client has what it asks for; answers with what is to be sent then, and else with `payload`. */
export function unlessUnchanged(reply: FastifyReply, payload: unknown): unknown {
  const { headers, method } = reply.request;
  const asked = headers['if-none-match'];
  const tag = reply.getHeader('etag');
  if (asked === undefined || typeof tag !== 'string' || !identified.has(reply)) return payload;
  if (reply.statusCode !== 200 || (method !== 'GET' && method !== 'HEAD') || !listsTag(asked, tag)) {
    return payload;
  }
  void reply.code(304).removeHeader('content-type').removeHeader('content-length');
  // Fastify measures what it does not send to HEAD.
  return method === 'HEAD' ? '' : null;
}
