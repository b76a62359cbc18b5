import { Secret } from '../secret.ts';
import type { Environment } from '../settings-model.ts';
import { MISSING } from './backend.ts';
import type { SecretAnswer, SecretBackend, SecretLocation } from './backend.ts';

/** Secrets in variables: of env files and the environment, as the settings are. An empty variable is no secret. */
export class EnvSecretBackend implements SecretBackend {
  readonly name = 'env';
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  get({ path }: SecretLocation): Promise<SecretAnswer> {
    const value = Object.hasOwn(this.#env, path) ? this.#env[path] : undefined;
    const found = value !== undefined && value !== '';
    return Promise.resolve(found ? { type: 'found', secret: new Secret(value) } : MISSING);
  }
}
