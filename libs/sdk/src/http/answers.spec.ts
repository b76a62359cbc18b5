import { describe, expect, it } from 'vitest';
import { isProblem, SpineAnswerError, SpineProblem } from '../errors.ts';
import { errorOf, isExpected, retryAfterMs } from './answers.ts';

const problem = {
  type: 'urn:spine:problem:unavailable',
  title: 'Temporarily unavailable',
  status: 503,
  detail: 'postgres: away',
  instance: '/health',
  code: 'UNAVAILABLE',
  errors: [{ field: 'a', code: 'b', message: 'c' }, 'no field error'],
  request_id: 'r1',
  dependencies: [{ name: 'postgres' }],
};

describe('an answer that is none of success', () => {
  it('is a problem with what its document says', () => {
    const response = new Response('', { status: 503, headers: { 'retry-after': '7' } });
    const error = errorOf(response, JSON.stringify(problem));
    expect(error).toBeInstanceOf(SpineProblem);
    expect(error).toMatchObject({
      name: 'SpineProblem',
      message: 'postgres: away',
      code: 'UNAVAILABLE',
      status: 503,
      errors: [{ field: 'a', code: 'b', message: 'c' }],
      requestId: 'r1',
      retryAfterMs: 7_000,
      members: { dependencies: [{ name: 'postgres' }] },
    });
  });

  it('narrows by its code', () => {
    const error: unknown = errorOf(new Response('', { status: 503 }), JSON.stringify(problem));
    expect(isProblem(error)).toBe(true);
    expect(isProblem(error, 'NOT_FOUND', 'UNAVAILABLE')).toBe(true);
    expect(isProblem(error, 'NOT_FOUND')).toBe(false);
    expect(isProblem(new Error('x'))).toBe(false);
    if (!isProblem(error)) throw new Error('no problem');
    // What the compiler knows after the comparison, without which this file is not compiled.
    const code: 'UNAVAILABLE' | null = error.code === 'UNAVAILABLE' ? error.code : null;
    expect(code).toBe('UNAVAILABLE');
  });

  it('of something else is shown, and not taken for a problem', () => {
    const page = new Response('', { status: 502, headers: { 'content-type': 'text/html' } });
    for (const text of ['<html>\n  Bad   gateway', '{"error": 1}', '[]', 'null', '"x"']) {
      const error = errorOf(page, text);
      expect(error).toBeInstanceOf(SpineAnswerError);
      expect(error.status).toBe(502);
    }
    expect(errorOf(page, '<html>\n  Bad   gateway').message).toBe(
      'answered 502 with text/html, not with the JSON of a Spine API: <html> Bad gateway',
    );
  });

  it('of a redirect names where it leads', () => {
    const moved = new Response('', { status: 301, headers: { location: 'https://spine.example.com/' } });
    expect(errorOf(moved, '').message).toContain('redirect to https://spine.example.com/');
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  it('is seconds or a date', () => {
    expect(retryAfterMs('3', now)).toBe(3_000);
    expect(retryAfterMs('Thu, 01 Jan 2026 00:00:10 GMT', now)).toBe(10_000);
    expect(retryAfterMs('Thu, 01 Jan 2015 00:00:10 GMT', now)).toBe(0);
    expect([null, '', 'soon'].map((each) => retryAfterMs(each, now))).toEqual([null, null, null]);
  });
});

it('a success is expected to be no page', () => {
  const withType = (type: string) => new Response('x', { headers: { 'content-type': type } });
  expect(isExpected(withType('application/json; charset=utf-8'))).toBe(true);
  expect(isExpected(withType('text/plain'))).toBe(true);
  expect(isExpected(withType('text/html; charset=utf-8'))).toBe(false);
  expect(isExpected(new Response(null, { status: 204 }))).toBe(true);
});
