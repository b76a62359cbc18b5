/** Which problem an error is. What is not known is INTERNAL: its message stays in the log. */
import { HttpException } from '@nestjs/common';
import { classifySqlFault } from '@spine/database';
import { HttpProblem } from './problem.ts';

/** Errors of the HTTP layer itself, by Fastify's code. */
const FASTIFY: Readonly<Record<string, () => HttpProblem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new HttpProblem('PAYLOAD_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`, {
      errors: [{ field: 'body', code: 'too_large', message: `at most ${MAX_BODY_BYTES} bytes are allowed` }],
    }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new HttpProblem('UNSUPPORTED_MEDIA_TYPE', 'send the body as JSON with Content-Type: application/json'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new HttpProblem('VALIDATION_FAILED', 'the body is not as long as its Content-Length', {
      errors: [{ field: 'body', code: 'invalid_length', message: 'must be as long as Content-Length says' }],
    }),
  FST_ERR_BAD_URL: () =>
    new HttpProblem('VALIDATION_FAILED', 'the path is not a valid percent-encoded URL path'),
  FST_ERR_HANDLER_TIMEOUT: () =>
    new HttpProblem('UNAVAILABLE', 'the answer took too long; try again shortly'),
  FST_ERR_MAX_PARAM_LENGTH: () => new HttpProblem('NOT_FOUND', 'nothing has a name that long'),
};

/** Bytes of a request body at the most. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function fromStatus(status: number): HttpProblem {
  switch (status) {
    case 401:
      return new HttpProblem('UNAUTHENTICATED', 'send an API key');
    case 403:
      return new HttpProblem('FORBIDDEN', 'this request may not be made from another site');
    case 404:
      return new HttpProblem('NOT_FOUND', 'there is no such endpoint; GET /docs lists them');
    case 413:
      return new HttpProblem('PAYLOAD_TOO_LARGE', 'the request is too large');
    case 415:
      return new HttpProblem(
        'UNSUPPORTED_MEDIA_TYPE',
        'send the body as JSON with Content-Type: application/json',
      );
    default:
      return new HttpProblem('VALIDATION_FAILED', 'the request could not be read');
  }
}

export function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  // Nest wraps what Fastify threw.
  const known =
    FASTIFY[codeOf(error) ?? ''] ?? FASTIFY[codeOf(error instanceof Error ? error.cause : null) ?? ''];
  if (known !== undefined) return known();
  if (error instanceof HttpException && error.getStatus() < 500) return fromStatus(error.getStatus());
  if (classifySqlFault(error) === 'connection') {
    return new HttpProblem('UNAVAILABLE', 'the database does not answer; try again shortly', {
      cause: error,
    });
  }
  return new HttpProblem('INTERNAL', 'an internal error occurred; the log has it under the request id', {
    cause: error,
  });
}
