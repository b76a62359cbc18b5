import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { ConfigError, ValidationError } from '@spine/core';
import { loadSettings } from '../settings.ts';
import { booleanFlag, integerFlag, rolloutFlag, variantFlag } from './definition.ts';
import type { FlagDefinitions } from './definition.ts';
import { FeatureFlags, UnknownFlagError } from './feature-flags.ts';
import { isRolledOut, rolloutBucket } from './rollout.ts';

const DEFINITIONS = {
  new_parser: booleanFlag(false, 'Parse with the new parser.'),
  batch_size: integerFlag(100, { min: 1, max: 1_000 }, 'Rows a batch.'),
  scorer: variantFlag('v1', ['v1', 'v2', 'shadow'], 'Which scorer.'),
  wide: rolloutFlag(30, 'For some domains.'),
} as const;

const flagsOf = (env: Record<string, string> = {}) => new FeatureFlags(DEFINITIONS, env);

describe('feature flags', () => {
  it('are typed by their definitions', () => {
    const flags = flagsOf();
    expectTypeOf(flags.get('new_parser')).toEqualTypeOf<boolean>();
    expectTypeOf(flags.get('batch_size')).toEqualTypeOf<number>();
    expectTypeOf(flags.get('scorer')).toEqualTypeOf<'v1' | 'v2' | 'shadow'>();
    expectTypeOf(flags.isEnabled).parameter(0).toEqualTypeOf<'new_parser' | 'wide'>();
    expect([flags.get('new_parser'), flags.get('batch_size'), flags.get('scorer')]).toEqual([
      false,
      100,
      'v1',
    ]);
  });

  it('are what the override says, else the environment, else the default', () => {
    const flags = flagsOf({ SPINE_FF_BATCH_SIZE: '250' });
    expect(flagsOf().evaluate('batch_size')).toEqual({ value: 100, source: 'default' });
    expect(flags.evaluate('batch_size')).toEqual({ value: 250, source: 'environment' });
    flags.set('batch_size', 7);
    expect(flags.evaluate('batch_size')).toEqual({ value: 7, source: 'override' });
    flags.unset('batch_size');
    expect(flags.get('batch_size')).toBe(250);
  });

  it('overridden for a function are so for all it awaits, and for nothing beside it', async () => {
    const flags = flagsOf();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const inside = flags.during({ new_parser: true, scorer: 'v2' }, async () => {
      await held;
      return flags.during({ scorer: 'shadow' }, () => [flags.get('new_parser'), flags.get('scorer')]);
    });
    expect([flags.get('new_parser'), flags.get('scorer')]).toEqual([false, 'v1']);
    release();
    expect(await inside).toEqual([true, 'shadow']);
    expect(() => flags.during({ batch_size: 0 }, () => 1)).toThrow(ValidationError);
  });

  it('are refused by name when nobody has declared them', () => {
    const flags = new FeatureFlags<FlagDefinitions>({ ...DEFINITIONS });
    for (const name of ['new_parsr', 'constructor', '__proto__', '']) {
      expect(() => flags.evaluate(name)).toThrow(UnknownFlagError);
      expect(() => flags.set(name, true)).toThrow(UnknownFlagError);
      expect(() => flags.unset(name)).toThrow(UnknownFlagError);
    }
    expect(() => flags.evaluate('new_parsr')).toThrow('did you mean new_parser?');
  });

  it.each([
    ['new_parser', 'yes', 'true or false'],
    ['batch_size', 0, 'a whole number from 1 to 1000'],
    ['batch_size', 1.5, 'a whole number from 1 to 1000'],
    ['scorer', 'v3', 'one of v1, v2, shadow'],
    ['wide', 101, 'a whole percentage from 0 to 100, true or false'],
  ])('%s is not set to %j', (name, value, allowed) => {
    const flags = new FeatureFlags<FlagDefinitions>({ ...DEFINITIONS });
    expect(() => flags.set(name, value)).toThrow(
      expect.objectContaining({
        name: 'ValidationError',
        issues: [expect.objectContaining({ field: name, code: 'invalid_flag_value' })],
      }),
    );
    expect(() => flags.set(name, value)).toThrow(allowed);
    expect(flags.evaluate(name, { key: 'k' }).source).toBe('default');
  });

  it.each([
    ['SPINE_FF_NEW_PARSER', 'TRUE'],
    ['SPINE_FF_BATCH_SIZE', '1e2'],
    ['SPINE_FF_BATCH_SIZE', '1001'],
    ['SPINE_FF_SCORER', 'v3'],
    ['SPINE_FF_WIDE', '30.5%'],
  ])('%s=%s stops the process', (name, value) => {
    expect(() => flagsOf({ [name]: value })).toThrow(ConfigError);
    expect(() => flagsOf({ [name]: value })).toThrow(`${name}: given ${JSON.stringify(value)}; allowed: `);
  });

  it('whose definition contradicts itself are refused', () => {
    expect(() => new FeatureFlags({ x: integerFlag(5, { min: 6, max: 9 }, '') })).toThrow('its default 5');
    expect(() => new FeatureFlags({ 'X-y': booleanFlag(true, '') })).toThrow('allowed names');
  });

  it('are listed with their settings and sources', () => {
    const listed = flagsOf({ SPINE_FF_WIDE: '50%' }).list();
    expect(listed.map(({ name, setting, source }) => [name, setting, source])).toEqual([
      ['batch_size', 100, 'default'],
      ['new_parser', false, 'default'],
      ['scorer', 'v1', 'default'],
      ['wide', 50, 'environment'],
    ]);
  });

  it('of Spine itself come with the settings; a misspelled one is warned about', () => {
    const env = { SPINE_FF_PUBLISH_EVENTS: 'false', SPINE_FF_PUBLISH_EVENT: 'x' };
    const { flags, warnings } = loadSettings(env, { role: 'launcher' });
    expect(flags.isEnabled('publish_events')).toBe(false);
    expect(warnings).toEqual([
      'SPINE_FF_PUBLISH_EVENT is not a flag of Spine and is ignored; did you mean SPINE_FF_PUBLISH_EVENTS?',
    ]);
    expect(() => loadSettings({ SPINE_FF_PUBLISH_EVENTS: 'off' }, { role: 'launcher' })).toThrow(
      'SPINE_FF_PUBLISH_EVENTS: given "off"; allowed: true or false',
    );
  });
});

describe('a rollout', () => {
  it('is decided by the key, the same way for ever', () => {
    // Written down, so that a change of the hash cannot pass: it would move every key.
    expect(['a', 'b', 'c'].map((key) => rolloutBucket('wide', key))).toEqual([82, 52, 30]);
  });

  it('without a key is on at 100 % only', () => {
    const flags = flagsOf();
    expect(flags.isEnabled('wide')).toBe(false);
    flags.set('wide', 99);
    expect(flags.isEnabled('wide')).toBe(false);
    flags.set('wide', true);
    expect(flags.isEnabled('wide')).toBe(true);
    flags.set('wide', false);
    expect(flags.isEnabled('wide', { key: 'a' })).toBe(false);
  });

  it('keeps every key it has when it grows', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(100), fc.nat(100), (key, one, other) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        expect(isRolledOut('f', key, less) && !isRolledOut('f', key, more)).toBe(false);
        expect(isRolledOut('f', key, 0)).toBe(false);
        expect(isRolledOut('f', key, 100)).toBe(true);
      }),
    );
  });

  it('reaches about its share of keys, and other keys for another flag', () => {
    const keys = Array.from({ length: 10_000 }, (_, n) => `run-${n}`);
    const of = (flag: string) => new Set(keys.filter((key) => isRolledOut(flag, key, 30)));
    const [one, other] = [of('one'), of('other')];
    expect(one.size).toBeGreaterThan(2_800);
    expect(one.size).toBeLessThan(3_200);
    const both = [...one].filter((key) => other.has(key)).length;
    expect(both).toBeGreaterThan(700);
    expect(both).toBeLessThan(1_100);
  });
});
