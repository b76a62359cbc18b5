import { OpenFeature } from '@openfeature/server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { booleanFlag, integerFlag, rolloutFlag, variantFlag } from './flags/definition.ts';
import { FeatureFlags } from './flags/feature-flags.ts';
import { SpineFlagProvider } from './openfeature.ts';

const flags = new FeatureFlags(
  {
    on: booleanFlag(true, ''),
    size: integerFlag(5, { min: 0, max: 9 }, ''),
    parser: variantFlag('old', ['old', 'new'], ''),
    wide: rolloutFlag(50, ''),
  },
  { SPINE_FF_SIZE: '7' },
);

describe('the OpenFeature SDK over Spine’s flags', () => {
  const client = OpenFeature.getClient('spine-test');
  beforeAll(() => OpenFeature.setProviderAndWait('spine-test', new SpineFlagProvider(flags)));
  afterAll(() => OpenFeature.close());

  it('gets their values', async () => {
    expect(await client.getBooleanValue('on', false)).toBe(true);
    expect(await client.getNumberValue('size', 0)).toBe(7);
    expect(await client.getStringValue('parser', '')).toBe('old');
  });

  it('is told where a value comes from', async () => {
    expect(await client.getBooleanDetails('on', false)).toMatchObject({ reason: 'DEFAULT' });
    expect(await client.getNumberDetails('size', 0)).toMatchObject({ reason: 'STATIC', variant: '7' });
    flags.set('parser', 'new');
    expect(await client.getStringDetails('parser', '')).toMatchObject({ value: 'new', reason: 'STATIC' });
  });

  it('decides rollouts by the targeting key', async () => {
    const keys = Array.from({ length: 40 }, (_, n) => `key-${n}`);
    for (const targetingKey of keys) {
      const details = await client.getBooleanDetails('wide', false, { targetingKey });
      expect(details).toMatchObject({
        value: flags.isEnabled('wide', { key: targetingKey }),
        reason: 'SPLIT',
      });
    }
    expect(await client.getBooleanDetails('wide', true)).toMatchObject({ value: false, reason: 'DEFAULT' });
  });

  it('gets the caller’s default and a code for a flag of another type, and for none', async () => {
    expect(await client.getBooleanDetails('size', true)).toMatchObject({
      value: true,
      errorCode: 'TYPE_MISMATCH',
    });
    expect(await client.getStringDetails('on', 'x')).toMatchObject({
      value: 'x',
      errorCode: 'TYPE_MISMATCH',
    });
    expect(await client.getObjectDetails('on', { a: 1 })).toMatchObject({
      value: { a: 1 },
      errorCode: 'TYPE_MISMATCH',
    });
    expect(await client.getBooleanDetails('gone', true)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    });
  });
});
