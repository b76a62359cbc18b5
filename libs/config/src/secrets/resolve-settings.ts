/**
 * Settings whose values are references: `SPINE_DATABASE_URL=secret:file:database_url`.
 *
 * What says where secrets are (`SPINE_SECRETS_*`, `SPINE_VAULT_*`, `SPINE_AWS_*`) is resolved first, and may itself only
 * refer to variables and files.
 */
import { resolve } from 'node:path';
import { SpineError } from '@spine/core';
import type { Environment } from '../settings-model.ts';
import { fail, malformedProblems, presentVariables, toSecretSettings } from '../settings.ts';
import { describeVariable, environmentSchema, VARIABLE_NAMES } from '../variables.ts';
import type { VariableName } from '../variables.ts';
import { createSecretsResolver } from './create-resolver.ts';
import { EnvSecretBackend } from './env-backend.ts';
import { FileSecretBackend } from './file-backend.ts';
import { isSecretReference } from './reference.ts';
import { SecretsResolver } from './resolver.ts';

export interface ResolvedValues {
  /** With the secrets in place of the references. */
  readonly env: Environment;
  /** The variables that were references. */
  readonly referenced: ReadonlySet<string>;
  /** About files that others may read or change. */
  readonly warnings: readonly string[];
  /** For secrets that are asked for later. */
  readonly resolver: SecretsResolver;
}

const FIRST = {
  SPINE_SECRETS_DIR: true,
  SPINE_SECRETS_TTL_SECONDS: true,
  SPINE_VAULT_ADDR: true,
  SPINE_VAULT_TOKEN: true,
  SPINE_VAULT_TOKEN_FILE: true,
  SPINE_VAULT_NAMESPACE: true,
  SPINE_AWS_REGION: true,
  SPINE_AWS_ENDPOINT: true,
} as const;
const firstSchema = environmentSchema.pick(FIRST);

function isFirst(name: VariableName): boolean {
  return name in FIRST;
}

/** References among some variables, resolved at once. @throws ConfigError with a line for each that cannot be */
async function resolved(
  env: Environment,
  names: readonly VariableName[],
  resolver: SecretsResolver,
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const problems: string[] = [];
  await Promise.all(
    names.map(async (name) => {
      try {
        found[name] = (await resolver.resolve(env[name]?.trim() ?? '')).reveal();
      } catch (error) {
        if (!(error instanceof SpineError)) throw error;
        problems.push(`${name}: ${error.message}`);
      }
    }),
  );
  if (problems.length > 0) fail(problems.sort());
  return found;
}

/**
 * Replaces every reference in a variable of Spine by its secret.
 * @throws ConfigError with a line for each that cannot be resolved; no line holds a secret
 */
export async function resolveSettingReferences(env: Environment, cwd: string): Promise<ResolvedValues> {
  const referenced = VARIABLE_NAMES.filter((name) => isSecretReference(env[name]?.trim() ?? ''));
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  if (referenced.includes('SPINE_SECRETS_DIR')) {
    fail([`SPINE_SECRETS_DIR: is a reference; allowed: ${describeVariable('SPINE_SECRETS_DIR').allowed}`]);
  }
  const dir = resolve(
    cwd,
    presentVariables(env).SPINE_SECRETS_DIR ?? describeVariable('SPINE_SECRETS_DIR').fallback ?? '',
  );
  const local = new SecretsResolver({
    backends: [new EnvSecretBackend(env), new FileSecretBackend({ dir, onWarning })],
  });
  const first = { ...env, ...(await resolved(env, referenced.filter(isFirst), local)) };

  const present = presentVariables(first);
  const parsed = firstSchema.safeParse(present);
  if (!parsed.success) {
    const bad = new Set<unknown>(parsed.error.issues.map((issue) => issue.path[0]));
    return fail(malformedProblems(present, bad, new Set(referenced)));
  }
  const resolver = createSecretsResolver({
    settings: toSecretSettings(parsed.data, cwd),
    env: first,
    onWarning,
  });
  const rest = referenced.filter((name) => !isFirst(name));
  return {
    env: { ...first, ...(await resolved(first, rest, resolver)) },
    referenced: new Set(referenced),
    warnings,
    resolver,
  };
}
