import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStorableText } from '../text.ts';
import { toError, toErrorInfo } from './error-info.ts';
import { ValidationError } from './permanent.ts';
import { SpineError } from './spine-error.ts';
import { RateLimitError } from './transient.ts';

const UNSAID = { category: 'UNKNOWN', retryable: true, retryAfterSeconds: null };

function fail(): never {
  throw new Error('a trap');
}

const throwingProxy: object = new Proxy(
  {},
  { get: fail, getPrototypeOf: fail, ownKeys: fail, has: fail, getOwnPropertyDescriptor: fail },
);
const throwingGetters: object = {
  get name() {
    return fail();
  },
  get message() {
    return fail();
  },
};
const spineProxy: object = new Proxy(new SpineError('inside'), { get: fail });
const revoked = Proxy.revocable({}, {});
revoked.revoke();

describe('toErrorInfo', () => {
  it('takes a SpineError at its word', () => {
    expect(toErrorInfo(new RateLimitError('slow down', { retryAfterSeconds: 7 }))).toEqual({
      message: 'slow down',
      type: 'RateLimitError',
      category: 'NETWORK',
      retryable: true,
      retryAfterSeconds: 7,
    });
    expect(toErrorInfo(new ValidationError('bad'))).toMatchObject({
      category: 'VALIDATION',
      retryable: false,
    });
  });

  it('calls anything else unknown and worth another try', () => {
    expect(toErrorInfo(new TypeError('fetch failed'))).toEqual({
      message: 'fetch failed',
      type: 'TypeError',
      ...UNSAID,
    });
  });

  it('does not let a made-up category through', () => {
    const error = new SpineError('x', JSON.parse('{"category": "made up"}') as object);
    expect(toErrorInfo(error).category).toBe('UNKNOWN');
  });

  it.each([
    ['undefined', () => undefined, 'undefined', 'undefined was thrown'],
    ['null', () => null, 'null', 'null was thrown'],
    ['text', () => 'just text', 'string', 'just text'],
    ['empty text', () => '', 'string', '(empty string)'],
    ['a number', () => 42, 'number', '42 was thrown'],
    ['a BigInt', () => 10n, 'bigint', '10 was thrown'],
    ['a symbol', () => Symbol('s'), 'symbol', 'Symbol(s) was thrown'],
    ['a function', () => fail, 'function', 'a function was thrown'],
    ['an error-like object', () => ({ message: 'looks like one' }), 'object', 'looks like one'],
    ['a named object', () => ({ name: 'Custom', message: 'named' }), 'Custom', 'named'],
    [
      'an object, without its values',
      () => ({ status: 1, key: 's3cret' }),
      'object',
      'an object with status, key was thrown',
    ],
    ['an empty object', () => ({}), 'object', '(the object has no readable message)'],
    ['an error without message', () => new Error(''), 'Error', '(the Error has no readable message)'],
    [
      'an error with only a code',
      () => Object.assign(new Error(''), { code: 'ECONNRESET' }),
      'Error',
      'ECONNRESET',
    ],
    [
      'an aggregate without message',
      () => new AggregateError([new Error('v4 refused'), new Error('v6 refused')], ''),
      'AggregateError',
      'v4 refused; v6 refused',
    ],
    ['getters that throw', () => throwingGetters, 'unreadable', 'an object with name, message was thrown'],
    ['a proxy that throws', () => throwingProxy, 'unreadable', '(the unreadable has no readable message)'],
    ['a revoked proxy', () => revoked.proxy, 'unreadable', '(the unreadable has no readable message)'],
    [
      'a SpineError behind a throwing proxy',
      () => spineProxy,
      'unreadable',
      '(the unreadable has no readable message)',
    ],
  ])('describes %s', (_label, make, type, message) => {
    expect(toErrorInfo(make())).toEqual({ type, message, ...UNSAID });
  });

  it('cuts the message at 4,000 characters without splitting a pair', () => {
    const { message } = toErrorInfo(new Error('x'.repeat(3_998) + '😀'.repeat(10)));
    expect(message).toBe(`${'x'.repeat(3_998)}…`);
  });

  it('makes the texts storable', () => {
    const { message, type } = toErrorInfo(Object.assign(new Error('a\0b\uD800'), { name: 'N\0' }));
    expect({ message, type }).toEqual({ message: 'a\uFFFDb\uFFFD', type: 'N\uFFFD' });
  });

  it('answers with storable, bounded text for any value', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true }),
        (thrown) => {
          const { message, type } = toErrorInfo(thrown);
          expect(message).not.toBe('');
          expect(message.length).toBeLessThanOrEqual(4_000);
          expect(isStorableText(message) && isStorableText(type)).toBe(true);
        },
      ),
    );
  });
});

describe('toDict', () => {
  it.each([
    ['a throwing proxy', () => throwingProxy],
    ['throwing getters', () => throwingGetters],
    ['a proxied SpineError', () => spineProxy],
    ['a revoked proxy', () => revoked.proxy],
    ['a symbol', () => Symbol('s')],
  ])('does not throw for %s as cause and metadata', (_label, make) => {
    const dict = new SpineError('outer', {
      cause: make(),
      context: { metadata: { hostile: make() } },
    }).toDict();
    expect(dict.message).toBe('outer');
    expect(JSON.parse(JSON.stringify(dict))).toEqual(dict);
  });
});

describe('toError', () => {
  it('leaves errors alone and wraps the rest', () => {
    const error = new TypeError('x');
    expect(toError(error)).toBe(error);
    const wrapped = toError('just text');
    expect(wrapped).toBeInstanceOf(SpineError);
    expect(wrapped).toMatchObject({
      message: 'just text',
      category: 'UNKNOWN',
      retryable: true,
      cause: 'just text',
    });
    expect(toError(throwingProxy)).toBeInstanceOf(SpineError);
  });
});
