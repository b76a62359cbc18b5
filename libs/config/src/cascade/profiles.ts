/** Profiles: TOML files of settings that inherit from one another. Pure; `read-configuration.ts` finds them. */
import { parse, TomlError } from 'smol-toml';
import { ConfigError } from '@spine/core';

/** A profile as its file says it. */
export interface Profile {
  readonly name: string;
  /** Where it was read. */
  readonly path: string;
  readonly inherits: string | undefined;
  /** Variables by name, as text. */
  readonly values: Readonly<Record<string, string>>;
}

/** A profile's file is not what it should be. */
export class ProfileError extends ConfigError {}
/** A profile, or one it inherits from, does not exist. */
export class ProfileNotFoundError extends ProfileError {}
/** Profiles inherit from one another in a circle. */
export class ProfileCycleError extends ProfileError {}

/** A name is also a file name: no separators, no dots. */
const PROFILE_NAME = /^[a-z][a-z0-9_-]{0,62}$/;
export const PROFILE_ALLOWED = 'a-z followed by up to 62 of a-z 0-9 _ -';

/** A chain longer than this is nobody's intention. */
const LONGEST_CHAIN = 16;

/** They decide which files are read, so that no file which is read because of them may change them. */
const NOT_IN_PROFILES: readonly string[] = ['SPINE_PROFILE', 'SPINE_TIER'];

export function isProfileName(text: string): boolean {
  return PROFILE_NAME.test(text);
}

function valueText(path: string, name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw new ProfileError(`${path}: settings.${name}: allowed: a string, a whole number, true or false`);
}

function settingsOf(path: string, table: unknown): Record<string, string> {
  if (table === undefined) return {};
  if (typeof table !== 'object' || table === null || Array.isArray(table)) {
    throw new ProfileError(`${path}: settings: allowed: a table of SPINE_ variables`);
  }
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => {
      if (!/^SPINE_[A-Z0-9_]+$/.test(name) || NOT_IN_PROFILES.includes(name)) {
        throw new ProfileError(
          `${path}: settings.${name.slice(0, 100)}: allowed: SPINE_ variables other than ${NOT_IN_PROFILES.join(' and ')}`,
        );
      }
      return [name, valueText(path, name, value)];
    }),
  );
}

/**
 * `inherits` (optional), `description` (optional) and a table `settings` of SPINE_ variables.
 * @throws ProfileError naming file and field; the file's text is not quoted, because it may hold a secret.
 */
export function parseProfile(name: string, path: string, text: string): Profile {
  const table = parseToml(path, text);
  const { inherits, description, settings, ...rest } = table;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) {
    throw new ProfileError(
      `${path}: ${unknown.slice(0, 100)}: not known; allowed: inherits, description, settings`,
    );
  }
  if (description !== undefined && typeof description !== 'string') {
    throw new ProfileError(`${path}: description: allowed: a string`);
  }
  if (inherits !== undefined && (typeof inherits !== 'string' || !isProfileName(inherits))) {
    throw new ProfileError(
      `${path}: inherits: allowed: the name of one profile, which is ${PROFILE_ALLOWED}`,
    );
  }
  return { name, path, inherits, values: settingsOf(path, settings) };
}

function parseToml(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    // The parser's own message shows the lines around the mistake.
    const place = error instanceof TomlError ? ` at line ${error.line}, column ${error.column}` : '';
    throw new ProfileError(`${path}: is not valid TOML${place}`);
  }
}

/**
 * A profile behind all those it inherits from, weakest first.
 *
 * @param find the profile of a name; undefined for none.
 * @throws ProfileNotFoundError, ProfileCycleError
 */
export function profileChain(name: string, find: (name: string) => Profile | undefined): readonly Profile[] {
  const chain: Profile[] = [];
  for (let next: string | undefined = name; next !== undefined;) {
    const heir = chain.at(-1);
    if (chain.some((known) => known.name === next)) {
      const circle = [...chain.map((known) => known.name), next].join(' -> ');
      throw new ProfileCycleError(`profile ${name}: inherits in a circle: ${circle}`);
    }
    if (chain.length === LONGEST_CHAIN) {
      throw new ProfileError(`profile ${name}: inherits from more than ${LONGEST_CHAIN - 1} others`);
    }
    const profile = find(next);
    if (profile === undefined) {
      const from = heir === undefined ? '' : `, which ${heir.path} inherits from`;
      throw new ProfileNotFoundError(`profile ${next}${from}: there is no such file`);
    }
    chain.push(profile);
    next = profile.inherits;
  }
  return chain.reverse();
}
