import { Catch } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Logger } from '@spine/observability';
import type { HttpProblem } from './problem.ts';
import { sendProblem } from './send-problem.ts';
import { toProblem } from './to-problem.ts';

/** The one place where an error becomes an answer: of handlers, of Fastify, of unknown routes. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = toProblem(error, reply.request.routeOptions.bodyLimit);
    if (problem.status >= 500) logFault(this.#logger, reply, problem, error);
    void sendProblem(reply, problem);
  }
}

/**
 * A fault with what finds its request again. The query is left out: it may carry what should not be logged. A problem that
 * was thrown as one is known to whoever threw it.
 */
export function logFault(logger: Logger, reply: FastifyReply, problem: HttpProblem, error: unknown): void {
  if (error === problem && problem.cause === undefined) return;
  const { id, method, routeOptions } = reply.request;
  const fields = { err: error, request_id: id, method, route: routeOptions.url ?? 'unknown' };
  if (problem.code === 'INTERNAL') logger.error(fields, 'request failed');
  else logger.warn(fields, 'request could not be served');
}
