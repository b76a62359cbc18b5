import { ConfigError, ValidationError } from '@spine/core';
import { SpineAnswerError, SpineConnectionError, SpineProblem, SpineTimeoutError } from '@spine/sdk';
import { describe, expect, it } from 'vitest';
import { Interrupted, OutputClosed } from './io.ts';
import { describeError, problemJson, problemLines } from './problems.ts';
import { UsageError, WaitedTooLong } from './usage-error.ts';

function problem(code: string, status: number, retryAfterMs: number | null = null): SpineProblem<string> {
  return new SpineProblem(code, {
    status,
    title: code,
    detail: `it is ${code}`,
    instance: '/api/v1/runs',
    errors: [{ field: 'params.week', code: 'invalid', message: 'must be a Friday' }],
    requestId: 'req-1',
    retryAfterMs,
    members: {},
  });
}

describe('exit codes', () => {
  it.each([
    [problem('VALIDATION_FAILED', 400), 2],
    [problem('UNAUTHENTICATED', 401), 5],
    [problem('FORBIDDEN', 403), 5],
    [problem('NOT_FOUND', 404), 3],
    [problem('ALREADY_COMPLETE', 409), 4],
    [problem('PRECONDITION_FAILED', 412), 4],
    [problem('PAYLOAD_TOO_LARGE', 413), 2],
    [problem('LOCKED', 423), 4],
    [problem('RATE_LIMITED', 429), 6],
    [problem('INTERNAL', 500), 1],
    [problem('UNAVAILABLE', 503), 6],
    [problem('OF_A_NEWER_API', 418), 2],
    [new SpineConnectionError('no'), 6],
    [new SpineTimeoutError('no'), 6],
    [new SpineAnswerError('html', 200), 6],
    [new UsageError('no'), 2],
    [new ConfigError('no'), 2],
    [new ValidationError('no', { issues: [{ field: 'steps', code: 'x', message: 'y' }] }), 2],
    [new WaitedTooLong('no'), 124],
    [new Interrupted(), 130],
    [new OutputClosed(), 0],
    [new TypeError('a bug'), 1],
    ['thrown text', 1],
  ])('of %s', (error, code) => {
    expect(describeError(error).exitCode).toBe(code);
  });
});

describe('what is said', () => {
  it('is the field, the message, the fix and the request', () => {
    expect(problemLines(describeError(problem('RATE_LIMITED', 429, 1_500)))).toEqual([
      'spine: it is RATE_LIMITED',
      '  params.week: must be a Friday',
      '  fix: try again in 2 s',
      '  request req-1',
    ]);
  });

  it('is said once where one field is all there is, and in words of commands', () => {
    const message =
      'no handler task:x is known; GET /api/v1/functions lists them, ?allow_unknown=true accepts it';
    const unknown = new SpineProblem('VALIDATION_FAILED', {
      status: 400,
      title: 'x',
      detail: `name: ${message}`,
      instance: '/api/v1/runs',
      errors: [{ field: 'name', code: 'unknown_handler', message }],
      requestId: null,
      retryAfterMs: null,
      members: {},
    });
    expect(problemLines(describeError(unknown))).toEqual([
      'spine: name: no handler task:x is known',
      '  fix: spine function list shows what is known; --allow-unknown accepts it all the same',
    ]);
  });

  it('obeys no escape sequence', () => {
    const lines = problemLines(describeError(new UsageError('x\u001b[2Jy\nz')));
    expect(lines).toEqual(['spine: x\\u001b[2Jy', 'z']);
  });

  it('is the same as JSON', () => {
    expect(problemJson(describeError(problem('NOT_FOUND', 404)))).toEqual({
      error: {
        code: 'NOT_FOUND',
        message: 'it is NOT_FOUND',
        errors: [{ field: 'params.week', message: 'must be a Friday' }],
        fix: null,
        request_id: 'req-1',
        exit_code: 3,
      },
    });
  });
});
