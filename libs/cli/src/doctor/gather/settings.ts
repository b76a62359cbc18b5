/** The settings as a process of the role would read them: whether they can be used, what is set, and what in them is secret. */
import {
  describeVariable,
  loadProcessSettings,
  readProcessConfiguration,
  VARIABLE_NAMES,
} from '@spine/config';
import type { Configuration, ProcessOptions, Role, Settings } from '@spine/config';
import { ConfigError, SpineError } from '@spine/core';
import type { SettingsAnswer } from '../judge/environment.ts';
import { passwordsIn } from '../scrub.ts';

/** Of which process. */
export type Places = Omit<ProcessOptions, 'role'>;

export interface Configured {
  readonly answer: SettingsAnswer;
  /** Null where they cannot be used. */
  readonly settings: Settings | null;
  /** Null where its files cannot be used. */
  readonly configuration: Configuration | null;
  /** What is not left at its default. */
  readonly set: readonly { readonly name: string; readonly source: string }[];
  /** Values that nothing may show. */
  readonly secrets: readonly string[];
}

/** @throws nothing for settings that are wrong: that is what they are asked for */
export async function gatherSettings(role: Role, places: Places): Promise<Configured> {
  let configuration: Configuration | null = null;
  try {
    configuration = readProcessConfiguration(places);
    const settings = await loadProcessSettings({ ...places, role });
    return {
      answer: { type: 'usable', tier: settings.tier, warnings: settings.warnings },
      settings,
      configuration,
      set: whatIsSet(configuration),
      secrets: [...secretsOf(configuration), ...resolvedSecrets(settings)],
    };
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof SpineError)) throw error;
    return {
      answer: { type: 'unusable', problem: error.message },
      settings: null,
      configuration,
      set: configuration === null ? [] : whatIsSet(configuration),
      secrets: configuration === null ? [] : secretsOf(configuration),
    };
  }
}

function whatIsSet({ merged }: Configuration): Configured['set'] {
  return VARIABLE_NAMES.flatMap((name) => {
    const value = merged.get(name);
    return value === undefined ? [] : [{ name, source: value.source }];
  });
}

function secretsOf({ merged }: Configuration): string[] {
  return VARIABLE_NAMES.flatMap((name) => {
    const value = merged.get(name)?.value;
    if (value === undefined) return [];
    switch (describeVariable(name).quoting) {
      case 'plain':
        return [];
      case 'url':
        return passwordsIn(value);
      case 'hidden':
        return [value, ...value.split(',').map((each) => each.trim())];
    }
  });
}

/** What references to secrets have led to. */
function resolvedSecrets({ api, database, redis }: Settings): string[] {
  return [
    ...api.keys.map((key) => key.reveal()),
    ...passwordsIn(database.url?.reveal() ?? ''),
    ...passwordsIn(redis.url?.reveal() ?? ''),
  ];
}
