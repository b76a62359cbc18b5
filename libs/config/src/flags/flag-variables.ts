/** What `SPINE_FF_*` variables say of flags. Pure. */
import { nearestName, quoteValue } from '../report.ts';
import type { Environment } from '../settings-model.ts';
import { describeAllowed, parseSetting } from './definition.ts';
import type { FlagDefinitions, StoredSetting } from './definition.ts';

export const FLAG_VARIABLE_PREFIX = 'SPINE_FF_';

export interface FlagVariables {
  readonly settings: ReadonlyMap<string, StoredSetting>;
  /** One line for each variable whose value the flag does not take. */
  readonly problems: readonly string[];
  /** One line for each variable of a flag that nobody has defined. */
  readonly warnings: readonly string[];
}

export function flagVariable(flag: string): string {
  return `${FLAG_VARIABLE_PREFIX}${flag.toUpperCase()}`;
}

/** A variable set to nothing counts as not set. */
export function readFlagVariables(definitions: FlagDefinitions, env: Environment): FlagVariables {
  const settings = new Map<string, StoredSetting>();
  const problems: string[] = [];
  for (const [flag, definition] of Object.entries(definitions)) {
    const text = env[flagVariable(flag)]?.trim() ?? '';
    if (text === '') continue;
    const setting = parseSetting(definition, text);
    if (setting !== undefined) settings.set(flag, setting);
    else {
      const given = quoteValue(text, 'plain');
      problems.push(`${flagVariable(flag)}: given ${given}; allowed: ${describeAllowed(definition)}`);
    }
  }
  const known = Object.keys(definitions).map(flagVariable);
  const warnings = Object.keys(env)
    .filter((name) => name.startsWith(FLAG_VARIABLE_PREFIX) && !known.includes(name))
    .sort()
    .map((name) => {
      const nearest = nearestName(name, known);
      const meant = nearest === undefined ? '' : `; did you mean ${nearest}?`;
      return `${name} is not a flag of Spine and is ignored${meant}`;
    });
  return { settings, problems, warnings };
}
