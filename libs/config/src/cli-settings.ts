/** What the `spine` command needs to call an API: nothing else of the settings is read or has to be right for it. */
import { resolve } from 'node:path';
import { readProcessConfiguration } from './process-settings.ts';
import type { ProcessOptions } from './process-settings.ts';
import { toEnvironment } from './cascade/layers.ts';
import { resolveSettingReferences } from './secrets/resolve-settings.ts';
import type { Secret } from './secret.ts';
import { fail, malformedProblems, presentVariables } from './settings.ts';
import { environmentSchema } from './variables.ts';
import type { Environment } from './settings-model.ts';

export interface CliSettings {
  /** Of the API, without `/api/v1`. */
  readonly url: string;
  /** Whether SPINE_URL says it; else it is the default. */
  readonly urlIsSet: boolean;
  /** Absolute: where a system that was started here keeps its lock, which tells where it listens. */
  readonly dataDir: string;
  /** Undefined: none is sent, which a local API does not ask for. */
  readonly apiKey: Secret | undefined;
}

const SCHEMA = environmentSchema.pick({ SPINE_URL: true, SPINE_API_KEY: true, SPINE_DATA_DIR: true });

/** Where secrets are, which the key may refer to. */
const OF_SECRETS = /^SPINE_(SECRETS?|VAULT|AWS)_/;

/**
 * SPINE_URL, SPINE_API_KEY and SPINE_DATA_DIR out of profile, env files and environment; a reference to a secret is resolved.
 * @throws ConfigError naming the variable, what was given (of a key nothing) and what is allowed
 */
export async function loadCliSettings(options: Omit<ProcessOptions, 'role'> = {}): Promise<CliSettings> {
  const { cwd = process.cwd() } = options;
  const all = toEnvironment(readProcessConfiguration(options).merged);
  // The other settings are those of servers: a database's password in a vault is none of the command's business.
  const own = (name: string): boolean =>
    name in SCHEMA.shape || OF_SECRETS.test(name) || !name.startsWith('SPINE_');
  const asked: Environment = Object.fromEntries(Object.entries(all).filter(([name]) => own(name)));
  const { env, referenced } = await resolveSettingReferences(asked, cwd);
  const present = presentVariables(env);
  const parsed = SCHEMA.safeParse(present);
  if (!parsed.success) {
    const bad = new Set<unknown>(parsed.error.issues.map((issue) => issue.path[0]));
    return fail(malformedProblems(present, bad, new Set(referenced)));
  }
  const { SPINE_URL, SPINE_API_KEY, SPINE_DATA_DIR } = parsed.data;
  return {
    url: SPINE_URL,
    urlIsSet: present['SPINE_URL'] !== undefined,
    dataDir: resolve(cwd, SPINE_DATA_DIR),
    apiKey: SPINE_API_KEY,
  };
}

/** Whether a stream takes colours: a terminal, without NO_COLOR (https://no-color.org). */
export function takesColour(isTerminal: boolean, env: Environment = process.env): boolean {
  const { NO_COLOR, TERM } = env;
  return isTerminal && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
