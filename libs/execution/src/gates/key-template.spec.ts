import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStorableText } from '@spine/core';
import { LIMITS } from '../spec/limits.ts';
import { KeyTemplate } from './key-template.ts';

const subject = (params: unknown) => ({ kind: 'task', name: 'fetch', lane: 'default', params });
const resolve = (template: string, params: unknown): string =>
  new KeyTemplate(template).resolve(subject(params));

describe('a key template', () => {
  it('puts in what a run says', () => {
    expect(resolve('tenant:{params.tenant}', { tenant: 'acme' })).toBe('tenant:acme');
    expect(resolve('{kind}:{name}@{lane}', {})).toBe('task:fetch@default');
    expect(resolve('{params.a.b}-{params.n}-{params.ok}', { a: { b: 'x' }, n: 7, ok: false })).toBe(
      'x-7-false',
    );
    expect(resolve('everything', {})).toBe('everything');
  });

  it('names what is not there, and keeps objects apart by their content', () => {
    expect(resolve('t:{params.tenant}', {})).toBe('t:(none)');
    expect(resolve('t:{params.a.b}', { a: null })).toBe('t:(none)');
    const one = resolve('{params.o}', { o: { a: 1, b: 2 } });
    expect(one).toMatch(/^#[0-9a-f]{16}$/);
    expect(resolve('{params.o}', { o: { b: 2, a: 1 } })).toBe(one);
    expect(resolve('{params.o}', { o: { b: 2, a: 2 } })).not.toBe(one);
  });

  it('reads own properties alone', () => {
    for (const path of ['constructor', '__proto__', 'toString', 'constructor.name']) {
      expect(resolve(`{params.${path}}`, { tenant: 'acme' })).toBe('(none)');
    }
    expect(resolve('{params.__proto__}', JSON.parse('{"__proto__": "mine"}'))).toBe('mine');
  });

  it('evaluates nothing: what a run says is text, also when it looks like a template', () => {
    expect(resolve('{params.a}', { a: '{params.b}', b: 'secret' })).toBe('{params.b}');
  });

  it('gives every text a key that can be stored and is bounded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (tenant) => {
        const key = resolve('tenant:{params.tenant}', { tenant });
        expect(key.length).toBeLessThanOrEqual(LIMITS.keyLength);
        expect(isStorableText(key)).toBe(true);
      }),
    );
    const long = 'x'.repeat(1_000);
    expect(resolve('{params.a}', { a: `${long}1` })).not.toBe(resolve('{params.a}', { a: `${long}2` }));
    expect(resolve('{params.a}', { a: '\0\ud800' })).toBe('\ufffd\ufffd');
  });

  it.each([
    ['nothing', ''],
    ['a brace that is not closed', 'a{params.b'],
    ['a brace that is not opened', 'a}b'],
    ['an empty placeholder', 'a{}'],
    ['another root', '{metadata.a}'],
    ['a call', '{params.a()}'],
    ['an index', '{params.rows[0]}'],
    ['a path without end', `{params.${Array.from({ length: 9 }, () => 'a').join('.')}}`],
    ['params as a whole', '{params}'],
    ['too long a text', 'x'.repeat(501)],
  ])('refuses %s', (_, template) => {
    expect(() => new KeyTemplate(template)).toThrow(/^key "/);
  });

  it('knows whether it needs params', () => {
    expect(new KeyTemplate('{kind}:{name}').readsParams).toBe(false);
    expect(new KeyTemplate('{kind}:{params.a}').readsParams).toBe(true);
  });
});
