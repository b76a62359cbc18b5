/** The settings of this process: the one place that reads its environment and its files. */
import { readConfiguration } from './cascade/read-configuration.ts';
import type { Configuration } from './cascade/read-configuration.ts';
import { toEnvironment } from './cascade/layers.ts';
import { resolveSettingReferences } from './secrets/resolve-settings.ts';
import type { SecretsResolver } from './secrets/resolver.ts';
import { loadSettings } from './settings.ts';
import { shownVariables } from './shown-variables.ts';
import type { ShownVariable } from './shown-variables.ts';
import type { Environment, LoadOptions, Role, Settings } from './settings-model.ts';

export interface ProcessOptions<R extends Role = Role> extends Pick<LoadOptions<R>, 'role' | 'cwd'> {
  /** Default: this process's. */
  readonly env?: Environment;
  /** Where the user's profiles are. Default: the user's home. */
  readonly home?: string;
}

/** Settings, and the resolver of secrets that handlers and clients ask for later. */
export interface ProcessSettings<R extends Role = Role> {
  readonly settings: Settings<R>;
  readonly secrets: SecretsResolver;
  /** What they were made of, for showing: no secret is in it. */
  readonly variables: readonly ShownVariable[];
}

/** What configures this process, before it is understood. @throws ConfigError for files that cannot be used */
export function readProcessConfiguration(options: Omit<ProcessOptions, 'role'> = {}): Configuration {
  const { env = process.env, cwd = process.cwd(), home } = options;
  return readConfiguration({ env, cwd, ...(home === undefined ? {} : { home }) });
}

/**
 * Profile < env files < environment, with the secrets that values refer to; then as `loadSettings`.
 *
 * @throws ConfigError for files that cannot be used, references that cannot be resolved, and as `loadSettings` does.
 */
export async function openProcessSettings<R extends Role>(
  options: ProcessOptions<R>,
): Promise<ProcessSettings<R>> {
  const { role, cwd = process.cwd() } = options;
  const configuration = readProcessConfiguration(options);
  const { merged } = configuration;
  const { env, referenced, warnings, resolver } = await resolveSettingReferences(toEnvironment(merged), cwd);
  const settings = loadSettings(env, { role, cwd, hidden: referenced });
  return {
    settings: { ...settings, warnings: [...settings.warnings, ...warnings] },
    secrets: resolver,
    variables: shownVariables(configuration),
  };
}

/** The settings alone. @throws ConfigError as `openProcessSettings` does. */
export async function loadProcessSettings<R extends Role>(options: ProcessOptions<R>): Promise<Settings<R>> {
  return (await openProcessSettings(options)).settings;
}
