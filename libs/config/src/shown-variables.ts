/** What is configured, as it may be shown to an operator: every setting with where it came from, and no secret. */
import { REDACTED } from '@spine/core';
import { isSecretReference } from './secrets/reference.ts';
import type { Configuration } from './cascade/read-configuration.ts';
import { describeVariable, VARIABLE_NAMES } from './variables.ts';
import type { VariableName } from './variables.ts';

/** A variable as it is shown. */
export interface ShownVariable {
  readonly name: VariableName;
  /** Null: not set, and without a default. */
  readonly value: string | null;
  /** `default`, `profile <name>`, a file, or `environment`. */
  readonly source: string;
}

/** A reference says where the secret is, which is no secret; a value that could be one is never shown. */
function shownValue(name: VariableName, value: string): string {
  if (isSecretReference(value)) return `${REDACTED} (reference)`;
  return describeVariable(name).quoting === 'plain' ? value : REDACTED;
}

/** Every variable of the schema, in its order. Contacts nobody: references are not resolved. */
export function shownVariables({ merged }: Pick<Configuration, 'merged'>): ShownVariable[] {
  return VARIABLE_NAMES.map((name) => {
    const set = merged.get(name);
    if (set !== undefined) return { name, value: shownValue(name, set.value), source: set.source };
    return { name, value: describeVariable(name).fallback, source: 'default' };
  });
}
