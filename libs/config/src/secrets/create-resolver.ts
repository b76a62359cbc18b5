/** The resolver of a deployment's settings. */
import { readFile } from 'node:fs/promises';
import { Secret } from '../secret.ts';
import type { Environment, SecretSettings, VaultSettings } from '../settings-model.ts';
import { AwsSecretBackend } from './aws-backend.ts';
import { SecretAccessError } from './backend.ts';
import { EnvSecretBackend } from './env-backend.ts';
import { FileSecretBackend } from './file-backend.ts';
import { SecretsResolver } from './resolver.ts';
import { VaultSecretBackend } from './vault-backend.ts';

export interface CreateResolverOptions {
  readonly settings: SecretSettings;
  /** Where `secret:env:` looks: env files and the environment together. */
  readonly env: Environment;
  /** Told of files that others may read or change. */
  readonly onWarning?: (message: string) => void;
}

/** The token of the settings, or of its file, which is read every time: an agent renews it. */
async function vaultToken({ token, tokenFile }: VaultSettings): Promise<Secret> {
  if (tokenFile === undefined) {
    if (token !== undefined) return token;
    throw new SecretAccessError(
      'there is no token for Vault: set SPINE_VAULT_TOKEN or SPINE_VAULT_TOKEN_FILE',
    );
  }
  const text = await readFile(tokenFile, 'utf8').catch(() => '');
  if (/^[\x21-\x7e]{1,4096}$/.test(text.trim())) return new Secret(text.trim());
  throw new SecretAccessError(`SPINE_VAULT_TOKEN_FILE: ${tokenFile} cannot be read, or holds no token`);
}

/** All backends; plain names are looked for in `SPINE_SECRET_<NAME>`, then in a file of that name. */
export function createSecretsResolver({ settings, env, onWarning }: CreateResolverOptions): SecretsResolver {
  const { dir, ttlSeconds, vault, aws } = settings;
  const environment = new EnvSecretBackend(env);
  const files = new FileSecretBackend({ dir, onWarning });
  const remote =
    vault === undefined
      ? []
      : [
          new VaultSecretBackend({
            address: vault.address,
            token: () => vaultToken(vault),
            namespace: vault.namespace,
          }),
        ];
  return new SecretsResolver({
    backends: [environment, files, ...remote, new AwsSecretBackend(aws)],
    chain: [
      { backend: environment, locate: (name) => ({ path: `SPINE_SECRET_${name.toUpperCase()}` }) },
      { backend: files, locate: (name) => ({ path: name }) },
    ],
    ttlSeconds,
  });
}
