import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseProfile,
  profileChain,
  ProfileCycleError,
  ProfileError,
  ProfileNotFoundError,
} from './profiles.ts';

const parse = (text: string) => parseProfile('p', '/x/p.toml', text);

describe('a profile', () => {
  it('is what it inherits and its settings as text', () => {
    const profile = parse(
      'inherits = "base"\ndescription = "d"\n[settings]\nSPINE_WORKERS = 4\nSPINE_FF_X = true\nSPINE_LANES = "a,b"',
    );
    expect(profile).toEqual({
      name: 'p',
      path: '/x/p.toml',
      inherits: 'base',
      values: { SPINE_WORKERS: '4', SPINE_FF_X: 'true', SPINE_LANES: 'a,b' },
    });
    expect(parse('')).toMatchObject({ inherits: undefined, values: {} });
  });

  it.each([
    ['inherits = ["a", "b"]', 'inherits: allowed: the name of one profile'],
    ['inherits = "../etc/passwd"', 'inherits: allowed'],
    ['description = 3', 'description: allowed: a string'],
    ['parent = "base"', 'parent: not known; allowed: inherits, description, settings'],
    ['settings = "x"', 'settings: allowed: a table'],
    ['[settings]\nSPINE_LANES = ["a"]', 'settings.SPINE_LANES: allowed: a string, a whole number'],
    ['[settings]\nSPINE_WORKERS = 1.5', 'settings.SPINE_WORKERS: allowed'],
    ['[settings]\nSPINE_PROFILE = "x"', 'settings.SPINE_PROFILE: allowed: SPINE_ variables other than'],
    ['[settings]\nSPINE_TIER = "x"', 'settings.SPINE_TIER: allowed'],
    ['[settings]\nworkers = 3', 'settings.workers: allowed'],
  ])('is refused: %j', (text, problem) => {
    expect(() => parse(text)).toThrow(ProfileError);
    expect(() => parse(text)).toThrow(`/x/p.toml: ${problem}`);
  });

  it('that is no TOML is refused with the place, and without its text', () => {
    let message = '';
    try {
      parse('[settings]\nSPINE_API_KEYS = "hunter2\n');
    } catch (error) {
      expect(error).toBeInstanceOf(ProfileError);
      message = String(error);
    }
    expect(message).toContain('/x/p.toml: is not valid TOML at line 2');
    expect(message).not.toContain('hunter2');
  });
});

describe('inheritance', () => {
  const chain = (parents: Readonly<Record<string, string | null>>, start: string): string[] =>
    profileChain(start, (name) =>
      name in parents
        ? { name, path: `/x/${name}.toml`, inherits: parents[name] ?? undefined, values: {} }
        : undefined,
    ).map((profile) => profile.name);

  it('gives the oldest ancestor first', () => {
    expect(chain({ a: 'b', b: 'c', c: null }, 'a')).toEqual(['c', 'b', 'a']);
  });

  it.each([
    [{ a: 'a' }, 'a -> a'],
    [{ a: 'b', b: 'c', c: 'b' }, 'a -> b -> c -> b'],
  ])('in a circle is a named error that shows it: %j', (parents, circle) => {
    expect(() => chain(parents, 'a')).toThrow(ProfileCycleError);
    expect(() => chain(parents, 'a')).toThrow(circle);
  });

  it('from nothing is a named error that says who inherits', () => {
    expect(() => chain({ a: 'b' }, 'a')).toThrow(ProfileNotFoundError);
    expect(() => chain({ a: 'b' }, 'a')).toThrow(
      'profile b, which /x/a.toml inherits from: there is no such file',
    );
    expect(() => chain({}, 'a')).toThrow('profile a: there is no such file');
  });

  it('of any graph ends: in a chain without repeats, or in a named error', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const graph = fc.dictionary(fc.constantFrom(...names), fc.option(fc.constantFrom(...names)));
    fc.assert(
      fc.property(graph, (parents) => {
        try {
          const found = chain(parents, 'a');
          expect(found.at(-1)).toBe('a');
          expect(new Set(found).size).toBe(found.length);
        } catch (error) {
          expect(error instanceof ProfileCycleError || error instanceof ProfileNotFoundError).toBe(true);
        }
      }),
    );
  });

  it('that is longer than anybody means is refused', () => {
    const parents = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`p${n}`, `p${n + 1}`]));
    expect(() => chain(parents, 'p0')).toThrow('inherits from more than 15 others');
  });
});
