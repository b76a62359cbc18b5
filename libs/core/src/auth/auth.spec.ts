import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatApiKey, isKeyUsable, parseApiKey } from './api-key.ts';
import { mayGrant, satisfiesScope, SCOPES } from './scopes.ts';
import type { Grant, Scope } from './scopes.ts';

const scopes = fc.uniqueArray(fc.constantFrom(...SCOPES), { minLength: 1 });
const grants: fc.Arbitrary<Grant> = fc.record({
  scopes,
  namespace: fc.constantFrom(null, 'one', 'two'),
});

describe('scopes', () => {
  it.each<[Scope[], Scope, boolean]>([
    [['read'], 'read', true],
    [['read'], 'metrics', true],
    [['read'], 'submit', false],
    [['submit'], 'read', false],
    [['operate'], 'submit', false],
    [['metrics'], 'read', false],
    [['submit', 'read'], 'submit', true],
    [['admin'], 'read', true],
    [['admin'], 'operate', true],
    [[], 'read', false],
  ])('%j and %s: %s', (held, needed, allowed) => {
    expect(satisfiesScope(held, needed)).toBe(allowed);
  });

  it('cannot be multiplied: what is granted opens nothing that its giver could not open', () => {
    fc.assert(
      fc.property(grants, grants, (giver, wanted) => {
        const opens = ({ scopes: held }: Grant) => SCOPES.filter((scope) => satisfiesScope(held, scope));
        const within = opens(wanted).every((scope) => opens(giver).includes(scope));
        const confined = giver.namespace === null || giver.namespace === wanted.namespace;
        expect(mayGrant(giver, wanted).type === 'granted').toBe(within && confined);
      }),
    );
  });
});

describe('the text of a key', () => {
  const id = '01930000-0000-7000-8000-00000000abcd';
  const text = formatApiKey(id, 'A'.repeat(43));

  it('names its id', () => {
    expect(text).toBe(`spk_01930000000070008000` + `00000000abcd.${'A'.repeat(43)}`);
    expect(parseApiKey(text)).toBe(id);
  });

  it.each([
    '',
    'spk_',
    text.slice(1),
    `${text}A`,
    text.slice(0, -1),
    text.replace('.', '_'),
    text.toUpperCase(),
  ])('is not %j', (other) => expect(parseApiKey(other)).toBeNull());
});

describe('a key', () => {
  const good = { revoked: false, expiresInMs: null, offered: 'current', previousForMs: null } as const;

  it('is usable with its secret, and for a while with the one before', () => {
    expect(isKeyUsable(good)).toBe(true);
    expect(isKeyUsable({ ...good, expiresInMs: 1 })).toBe(true);
    expect(isKeyUsable({ ...good, offered: 'previous', previousForMs: 1 })).toBe(true);
  });

  it.each([
    { ...good, revoked: true },
    { ...good, expiresInMs: 0 },
    { ...good, offered: 'neither' as const },
    { ...good, offered: 'previous' as const },
    { ...good, offered: 'previous' as const, previousForMs: 0 },
    { ...good, offered: 'previous' as const, previousForMs: 1, expiresInMs: -1 },
  ])('is not: %j', (state) => expect(isKeyUsable(state)).toBe(false));
});
