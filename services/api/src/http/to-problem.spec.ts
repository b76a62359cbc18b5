import { HttpException, NotFoundException } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { PayloadCorruptError, PayloadMissingError, PayloadUnavailableError } from '@spine/execution';
import { HttpProblem } from './problem.ts';
import { toProblem } from './to-problem.ts';

const coded = (code: string): Error => Object.assign(new Error('secret detail'), { code });

describe('an error as a problem', () => {
  it('stays the problem it is', () => {
    const problem = new HttpProblem('CONFLICT', 'taken');
    expect(toProblem(problem)).toBe(problem);
  });

  it.each([
    [coded('FST_ERR_CTP_BODY_TOO_LARGE'), 413, 'PAYLOAD_TOO_LARGE'],
    [new HttpException('x', 413, { cause: coded('FST_ERR_CTP_BODY_TOO_LARGE') }), 413, 'PAYLOAD_TOO_LARGE'],
    [coded('FST_ERR_CTP_INVALID_MEDIA_TYPE'), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [coded('FST_ERR_MAX_PARAM_LENGTH'), 404, 'NOT_FOUND'],
    [new NotFoundException('Cannot GET /secret'), 404, 'NOT_FOUND'],
    [new HttpException('secret', 418), 400, 'VALIDATION_FAILED'],
    [new HttpException('secret', 502), 500, 'INTERNAL'],
    [coded('ECONNREFUSED'), 503, 'UNAVAILABLE'],
    [coded('FST_ERR_HANDLER_TIMEOUT'), 503, 'UNAVAILABLE'],
    [coded('57P01'), 503, 'UNAVAILABLE'],
    [coded('42P01'), 500, 'INTERNAL'],
    [new PayloadUnavailableError('params', { cause: coded('ENOSPC') }), 503, 'UNAVAILABLE'],
    [new PayloadMissingError('gone'), 409, 'CONFLICT'],
    [new PayloadCorruptError('not it'), 409, 'CONFLICT'],
    [new TypeError('secret'), 500, 'INTERNAL'],
    ['secret', 500, 'INTERNAL'],
    [undefined, 500, 'INTERNAL'],
  ])('%s is %i %s, and says nothing of its cause', (error, status, code) => {
    const problem = toProblem(error);
    expect(problem).toMatchObject({ status, code });
    expect(problem.message).not.toContain('secret');
  });

  it('names the limit of its endpoint', () => {
    const tooLarge = coded('FST_ERR_CTP_BODY_TOO_LARGE');
    expect(toProblem(tooLarge, 5).message).toBe('the body is larger than 5 bytes');
    expect(toProblem(tooLarge).message).toBe(`the body is larger than ${8 * 1024 * 1024} bytes`);
  });

  it('asks to come back where that helps', () => {
    expect(toProblem(coded('ECONNRESET')).retryAfterSeconds).toBe(1);
    expect(new HttpProblem('RATE_LIMITED', 'slow down', { retryAfterSeconds: 30 }).retryAfterSeconds).toBe(
      30,
    );
    expect(toProblem(new TypeError('x')).retryAfterSeconds).toBeNull();
  });
});
