import { describe, expect, it } from 'vitest';
import { ERROR_CATEGORIES, ErrorCategory, isErrorCategory } from './category.ts';
import {
  AuthError,
  ConfigError,
  ConflictError,
  InvariantError,
  NotFoundError,
  OperationError,
  OrchestrationError,
  ParseError,
  SourceError,
  StorageError,
  ValidationError,
} from './permanent.ts';
import { SpineError } from './spine-error.ts';
import {
  DatabaseConnectionError,
  NetworkError,
  RateLimitError,
  TimeoutError,
  TransientError,
} from './transient.ts';

describe('error categories', () => {
  it('are named by their own value', () => {
    for (const [name, value] of Object.entries(ErrorCategory)) expect(value).toBe(name);
    expect(ERROR_CATEGORIES).toContain('RESOURCE');
  });

  it('are recognised exactly', () => {
    expect(isErrorCategory('TIMEOUT')).toBe(true);
    for (const other of ['timeout', 'toString', '', undefined, null, 1])
      expect(isErrorCategory(other)).toBe(false);
  });
});

describe('the error hierarchy', () => {
  it.each([
    [SpineError, 'INTERNAL', false],
    [TransientError, 'NETWORK', true],
    [NetworkError, 'NETWORK', true],
    [TimeoutError, 'TIMEOUT', true],
    [RateLimitError, 'NETWORK', true],
    [DatabaseConnectionError, 'DATABASE', true],
    [SourceError, 'SOURCE', false],
    [ParseError, 'PARSE', false],
    [ValidationError, 'VALIDATION', false],
    [NotFoundError, 'VALIDATION', false],
    [ConflictError, 'VALIDATION', false],
    [ConfigError, 'CONFIG', false],
    [AuthError, 'AUTH', false],
    [OperationError, 'OPERATION', false],
    [OrchestrationError, 'ORCHESTRATION', false],
    [StorageError, 'STORAGE', false],
    [InvariantError, 'INTERNAL', false],
  ] as const)('%o defaults to %s, retryable %s', (type, category, retryable) => {
    const error = new type('went wrong');
    expect(error).toBeInstanceOf(SpineError);
    expect(error).toMatchObject({ category, retryable, retryAfterSeconds: null, message: 'went wrong' });
    expect(error.name).toBe(type.name);
    expect(String(error)).toBe(`${type.name}: went wrong`);
  });

  it('makes every connection trouble a TransientError and every ParseError a SourceError', () => {
    for (const type of [NetworkError, TimeoutError, RateLimitError, DatabaseConnectionError]) {
      expect(new type('x')).toBeInstanceOf(TransientError);
    }
    expect(new ParseError('x')).toBeInstanceOf(SourceError);
  });

  it('lets the thrower overrule the defaults', () => {
    const error = new SourceError('busy', { category: 'NETWORK', retryable: true, retryAfterSeconds: 30 });
    expect(error).toMatchObject({ category: 'NETWORK', retryable: true, retryAfterSeconds: 30 });
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'takes a delay of %s as not said',
    (retryAfterSeconds) => {
      expect(new RateLimitError('slow down', { retryAfterSeconds }).retryAfterSeconds).toBeNull();
    },
  );

  it('accepts a delay of zero', () => {
    expect(new RateLimitError('again', { retryAfterSeconds: 0 }).retryAfterSeconds).toBe(0);
  });

  it('keeps name out of the enumerable fields, where loggers and spreads would find it', () => {
    expect(Object.keys(new SpineError('x'))).not.toContain('name');
  });

  it('carries the issues of a validation', () => {
    const issues = [{ field: 'params.a', code: 'too_small', message: 'must be 1 or more' }];
    expect(new ValidationError('bad', { issues }).issues).toEqual(issues);
    expect(new ValidationError('bad', { issues }).toDict().issues).toEqual(issues);
    expect(new ValidationError('bad').issues).toEqual([]);
  });
});

describe('withContext', () => {
  it('returns the same error, overwrites fields and merges metadata', () => {
    const error = new SourceError('x', { context: { workflow: 'w', step: 's1', metadata: { a: 1, b: 1 } } });
    expect(error.withContext({ step: 's2', metadata: { b: 2, c: 3 } })).toBe(error);
    expect(error.context).toEqual({ workflow: 'w', step: 's2', metadata: { a: 1, b: 2, c: 3 } });
  });

  it('does not let undefined erase what is known', () => {
    const patch: object = { runId: undefined };
    expect(new SpineError('x', { context: { runId: 'r' } }).withContext(patch).context.runId).toBe('r');
  });

  it('does not share metadata with the caller', () => {
    const metadata = { a: 1 };
    const error = new SpineError('x', { context: { metadata } });
    metadata.a = 2;
    expect(error.context.metadata).toEqual({ a: 1 });
  });

  it('keeps a __proto__ key as data', () => {
    const metadata = JSON.parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>;
    const kept = new SpineError('x').withContext({ metadata }).context.metadata ?? {};
    expect(Object.getPrototypeOf(kept)).toBe(Object.prototype);
  });

  it.each([
    ['https://user:pa%40ss@host/p?a=1', 'https://host/p?a=1'],
    ['postgres://spine:hunter2@db:5432/spine', 'postgres://db:5432/spine'],
    ['https://host/p?api_key=s3cret&page=2', 'https://host/p?api_key=REDACTED&page=2'],
    [
      'https://host/p?page=2&X-Amz-Signature=abc#access_token=t',
      'https://host/p?page=2&X-Amz-Signature=REDACTED#access_token=REDACTED',
    ],
    ['https://host/a@b?q=1', 'https://host/a@b?q=1'],
    ['not a url?token=t', 'not a url?token=REDACTED'],
  ])('keeps no secret of %s', (url, kept) => {
    expect(new SourceError('x', { context: { url } }).context.url).toBe(kept);
  });
});

describe('toDict', () => {
  it('is snake_case JSON with the set context fields only', () => {
    const error = new NetworkError('refused', {
      retryAfterSeconds: 5,
      cause: new TypeError('fetch failed'),
      context: { runId: 'r1', executionId: 'e1', sourceName: 'finra', sourceType: 'http', httpStatus: 503 },
    }).withContext({ metadata: { attempt: 2 } });
    const dict = error.toDict();
    expect(dict).toEqual({
      type: 'NetworkError',
      message: 'refused',
      category: 'NETWORK',
      retryable: true,
      retry_after: 5,
      context: {
        run_id: 'r1',
        execution_id: 'e1',
        source_name: 'finra',
        source_type: 'http',
        http_status: 503,
        metadata: { attempt: 2 },
      },
      cause: { type: 'TypeError', message: 'fetch failed' },
    });
    expect(JSON.parse(JSON.stringify(dict))).toEqual(dict);
  });

  it('has no cause when there is none', () => {
    expect(new SpineError('x').toDict()).toMatchObject({ cause: null, context: {} });
    expect('cause' in new SpineError('x')).toBe(false);
  });

  it('bounds the message and makes it storable', () => {
    const { message } = new SpineError(`\0${'x'.repeat(5_000)}`).toDict();
    expect(message).toHaveLength(4_000);
    expect(message.startsWith('\uFFFDx')).toBe(true);
  });
});
