import { describe, expect, it } from 'vitest';
import { CalcVersions, compareVersions } from './calc-versions.ts';
import { CALCS } from './registry.ts';
import type { CalcName } from './registry.ts';
import { ROLLING_VERSIONS } from './rolling.ts';

/** Every version that was ever released. Lines are added here and never taken away: stored rows name these versions. */
const EVER: readonly string[] = [
  'normalize v1',
  'symbol_summary v1',
  'venue_share v1',
  'venue_concentration v1',
  'volume_per_day v1',
  'liquidity_score v1',
  'rolling v1',
  'rolling v2',
  'tier_volume_share v1',
];

describe('versions', () => {
  it('are numbers, not text', () => {
    expect(['v10', 'v2', 'v1', 'v9'].sort(compareVersions)).toEqual(['v1', 'v2', 'v9', 'v10']);
    const calcs = new CalcVersions({ a: [{ version: 'v10' }, { version: 'v9' }, { version: 'v2' }] });
    expect(calcs.current('a')).toBe('v10');
  });

  it('have a current one that is not deprecated, and a warning for those that are', () => {
    const calcs = new CalcVersions({
      a: [
        { version: 'v1', deprecated: 'it is wrong; use v2' },
        { version: 'v2' },
        { version: 'v3', deprecated: 'too new' },
      ],
    });
    expect(calcs.current('a')).toBe('v2');
    expect(calcs.resolve('a')).toEqual({ version: 'v2', deprecation: null });
    expect(calcs.resolve('a', 'v1')).toEqual({
      version: 'v1',
      deprecation: 'a v1 is deprecated (current is v2): it is wrong; use v2',
    });
  });

  it.each(['v4', 'V2', '2', 'v02', '__proto__', ''])('that do not exist are refused: %s', (version) => {
    const calcs = new CalcVersions({ a: [{ version: 'v1' }, { version: 'v2' }] });
    expect(() => calcs.resolve('a', version)).toThrow(
      `calc_version: ${JSON.stringify(version)} is not a version of a; allowed are v1, v2`,
    );
  });

  it.each([
    ['none', []],
    ['only deprecated ones', [{ version: 'v1', deprecated: 'old' }]],
    ['one twice', [{ version: 'v1' }, { version: 'v1' }]],
    ['one out of form', [{ version: 'v0' }]],
  ] as const)('are refused as a registry: %s', (_name, entries) => {
    expect(() => new CalcVersions({ a: entries })).toThrow();
  });
});

describe('the registry', () => {
  const names = CALCS.calcs() as readonly CalcName[];

  it('has every version there ever was, and tells of new ones', () => {
    const now = names.flatMap((calc) => CALCS.versions(calc).map(({ version }) => `${calc} ${version}`));
    expect(now).toEqual(EVER);
  });

  it.each(names)('%s: the current version is not deprecated, and is the newest that is not', (calc) => {
    const current = CALCS.current(calc);
    const fit = CALCS.versions(calc).filter(({ deprecated }) => deprecated === undefined);
    expect(
      fit
        .map(({ version }) => version)
        .sort(compareVersions)
        .at(-1),
    ).toBe(current);
    expect(CALCS.resolve(calc).deprecation).toBeNull();
  });

  it('names the versions that the code computes', () => {
    expect(CALCS.versions('rolling').map(({ version }) => version)).toEqual(ROLLING_VERSIONS);
  });
});
