import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { assetKey, assetKeyParts, hasAssetKeyPrefix, isAssetKey, parseAssetKey } from './asset-key.ts';
import { freshnessOf, freshnessPolicy, stalenessOf } from './freshness.ts';
import type { InputVersions } from './freshness.ts';

describe('an asset key', () => {
  it('is its parts joined, and comes back from its text', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:=-]{0,20}$/);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
        const key = assetKey(...parts);
        expect(parseAssetKey(key)).toBe(key);
        expect(assetKeyParts(key)).toEqual(parts);
      }),
    );
  });

  it.each([
    '',
    '/',
    'sec/',
    '/sec',
    'sec//filings',
    '../etc',
    'sec/.',
    'sec filings',
    'a\nb',
    'a%2Fb',
    'é',
    'x'.repeat(101),
    Array.from({ length: 13 }, () => 'a').join('/'),
    Array.from({ length: 5 }, () => 'x'.repeat(90)).join('/'),
  ])('is not %j', (text) => {
    expect(isAssetKey(text)).toBe(false);
    expect(() => parseAssetKey(text, 'key')).toThrow(
      expect.objectContaining({
        issues: [expect.objectContaining({ field: 'key', code: 'invalid_asset_key' })],
      }),
    );
  });

  it('has no slash within a part', () => {
    expect(() => assetKey('sec/filings', '10-K')).toThrow(ValidationError);
  });

  it('has prefixes by parts', () => {
    const key = assetKey('sec', 'filings', '10-K');
    expect(hasAssetKeyPrefix(key, key)).toBe(true);
    expect(hasAssetKeyPrefix(key, assetKey('sec', 'filings'))).toBe(true);
    expect(hasAssetKeyPrefix(key, assetKey('sec', 'fil'))).toBe(false);
  });
});

describe('freshness', () => {
  const now = new Date('2026-01-02T00:00:00Z');
  const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);

  it.each([
    [60, null, { status: 'missing' }],
    [null, null, { status: 'missing' }],
    [60, ago(0), { status: 'fresh', lagSeconds: 0 }],
    [60, ago(60), { status: 'fresh', lagSeconds: 60 }],
    [60, ago(60.001), { status: 'stale', lagSeconds: 60, overdueSeconds: 0 }],
    [60, ago(100), { status: 'stale', lagSeconds: 100, overdueSeconds: 40 }],
    [60, ago(-5), { status: 'fresh', lagSeconds: 0 }],
    [null, ago(1e9), { status: 'fresh', lagSeconds: 1e9 }],
  ] as const)('with %s s allowed, materialized at %s, is %j', (maxLag, last, expected) => {
    expect(freshnessOf(freshnessPolicy(maxLag), last, now)).toEqual(expected);
  });

  it.each([0, -1, 1.5, Number.NaN])('has no policy of %s seconds', (seconds) => {
    expect(() => freshnessPolicy(seconds)).toThrow(ValidationError);
  });
});

describe('staleness', () => {
  const input = (more: Partial<InputVersions>): InputVersions => ({
    assetKey: 'a',
    partitionKey: '{}',
    usedMaterializationId: 1,
    usedDataVersion: 'v1',
    latestMaterializationId: 1,
    latestDataVersion: 'v1',
    ...more,
  });

  it.each([
    ['nothing was written since', {}],
    ['the same data was written again', { latestMaterializationId: 2 }],
    [
      'the source is not materialized here',
      { usedMaterializationId: null, latestMaterializationId: null, latestDataVersion: null },
    ],
    ['an older one differs', { usedMaterializationId: 5, usedDataVersion: 'v5' }],
  ])('is not, when %s', (_, more) => {
    expect(stalenessOf([input(more)])).toEqual({ status: 'current' });
  });

  it('names the inputs that were materialized with other data since', () => {
    const changed = input({ latestMaterializationId: 2, latestDataVersion: 'v2' });
    expect(stalenessOf([input({}), changed])).toEqual({ status: 'stale', changed: [changed] });
  });
});
