/**
 * Everything that configures a process, before any of it is understood: profile < env files < environment. Reads files;
 * contacts nobody and changes nothing.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@spine/core';
import type { Environment } from '../settings-model.ts';
import { readEnvFiles } from './env-files.ts';
import { mergeLayers } from './layers.ts';
import type { Layer, MergedValues } from './layers.ts';
import {
  isProfileName,
  parseProfile,
  profileChain,
  ProfileNotFoundError,
  PROFILE_ALLOWED,
} from './profiles.ts';
import type { Profile } from './profiles.ts';
import { readOptionalText } from './read-text.ts';

export interface ConfigurationPlaces {
  readonly env: Environment;
  /** Where env files and `.spine/profiles` are looked for. */
  readonly cwd: string;
  /** Where `.spine/profiles` of the user are looked for. Default: the user's home. */
  readonly home?: string;
}

export interface Configuration {
  readonly tier: string;
  readonly profile: string | undefined;
  /** Weakest first. */
  readonly layers: readonly Layer[];
  readonly merged: MergedValues;
}

export const ENVIRONMENT_SOURCE = 'environment';

/** A project's profile hides the user's of the same name. */
function findProfile({ cwd, home = homedir() }: ConfigurationPlaces, name: string): Profile | undefined {
  for (const root of [cwd, home]) {
    const path = join(root, '.spine', 'profiles', `${name}.toml`);
    const text = readOptionalText(path);
    if (text !== undefined) return parseProfile(name, path, text);
  }
  return undefined;
}

function profileLayers(places: ConfigurationPlaces, name: string, chosenIn: string): Layer[] {
  if (!isProfileName(name)) {
    throw new ConfigError(
      `SPINE_PROFILE: given ${JSON.stringify(name.slice(0, 100))} in ${chosenIn}; allowed: ${PROFILE_ALLOWED}`,
    );
  }
  try {
    return profileChain(name, (each) => findProfile(places, each)).map((profile) => ({
      source: `profile ${profile.name}`,
      values: profile.values,
    }));
  } catch (error) {
    if (!(error instanceof ProfileNotFoundError)) throw error;
    throw new ProfileNotFoundError(
      `SPINE_PROFILE in ${chosenIn}: ${error.message}; looked for in .spine/profiles of the project and of the user's home`,
    );
  }
}

/**
 * @throws ConfigError (ProfileError, ProfileNotFoundError, ProfileCycleError) for files that cannot be used.
 */
export function readConfiguration(places: ConfigurationPlaces): Configuration {
  const environment: Layer = { source: ENVIRONMENT_SOURCE, values: places.env };
  const { tier, layers: files } = readEnvFiles(places.cwd, environment);
  const chosen = mergeLayers([...files, environment]).get('SPINE_PROFILE');
  const profiles = chosen === undefined ? [] : profileLayers(places, chosen.value, chosen.source);
  const layers = [...profiles, ...files, environment];
  return { tier, profile: chosen?.value, layers, merged: mergeLayers(layers) };
}
