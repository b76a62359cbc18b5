/** Which problem an error is. What is not known is INTERNAL: its message stays in the log. */
import { HttpException } from '@nestjs/common';
import { ValidationError } from '@spine/core';
import { classifySqlFault } from '@spine/database';
import { PayloadError, PayloadUnavailableError } from '@spine/execution';
import { HttpProblem, invalid } from './problem.ts';

/** Errors of the HTTP layer itself, by Fastify's code. */
const FASTIFY: Readonly<Record<string, (bodyLimit: number) => HttpProblem>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: (limit) =>
    new HttpProblem('PAYLOAD_TOO_LARGE', `the body is larger than ${limit} bytes`, {
      errors: [{ field: 'body', code: 'too_large', message: `at most ${limit} bytes are allowed` }],
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

/** Bytes of a request body at the most, where the endpoint says nothing else. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** What a work spec may be beside its params. */
const SPEC_BYTES = 1024 * 1024;

/** Bytes of a body that carries params of that size. */
export function submitBodyBytes(maxPayloadBytes: number): number {
  return Math.max(MAX_BODY_BYTES, maxPayloadBytes + SPEC_BYTES);
}

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

/** A payload of a run that is needed and cannot be had. */
function fromPayloadError(error: PayloadError): HttpProblem {
  if (!(error instanceof PayloadUnavailableError)) return new HttpProblem('CONFLICT', error.message);
  return new HttpProblem('UNAVAILABLE', `${error.message}; try again shortly`, {
    retryAfterSeconds: 5,
    cause: error,
  });
}

/** @param bodyLimit of the endpoint. Default {@link MAX_BODY_BYTES}. */
export function toProblem(error: unknown, bodyLimit: number = MAX_BODY_BYTES): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof PayloadError) return fromPayloadError(error);
  // One that names no field is a fault of ours, not of the request.
  if (error instanceof ValidationError && error.issues.length > 0) return invalid(error.issues);
  // Nest wraps what Fastify threw.
  const known =
    FASTIFY[codeOf(error) ?? ''] ?? FASTIFY[codeOf(error instanceof Error ? error.cause : null) ?? ''];
  if (known !== undefined) return known(bodyLimit);
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
