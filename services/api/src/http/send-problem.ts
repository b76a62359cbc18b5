import type { FastifyReply } from 'fastify';
import { problemDocument } from './problem.ts';
import type { HttpProblem } from './problem.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** Writes a problem as the answer of a request. */
export function sendProblem(reply: FastifyReply, problem: HttpProblem): FastifyReply {
  const { request } = reply;
  if (problem.retryAfterSeconds !== null) void reply.header('retry-after', String(problem.retryAfterSeconds));
  const path = request.url.split('?', 1)[0] ?? '/';
  return reply
    .code(problem.status)
    .type(PROBLEM_MEDIA_TYPE)
    .send(JSON.stringify(problemDocument(problem, path, request.id)));
}
