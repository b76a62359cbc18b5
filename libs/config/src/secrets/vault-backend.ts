/**
 * Secrets in HashiCorp Vault, KV version 2, over its HTTP API: GET /v1/{mount}/data/{path}.
 *
 * 1. The address is the operator's, the path a checked reference; redirects are not followed, so that the token goes
 * nowhere else. 2. Every request has a time limit, its answer a size limit. 3. No error quotes an answer: it may hold
 * the secret.
 */
import { ConfigError } from '@spine/core';
import { Secret } from '../secret.ts';
import { fieldOf, MISSING, SecretAccessError, SecretFormatError, SecretUnavailableError } from './backend.ts';
import type { SecretAnswer, SecretBackend, SecretLocation } from './backend.ts';
import { readBounded } from './read-bounded.ts';

/** The field of a reference without one. */
export const DEFAULT_VAULT_FIELD = 'value';

const MOST_BYTES = 1024 * 1024;

export interface VaultOptions {
  /** http:// or https://. */
  readonly address: string;
  /** Asked for every request: an agent renews it. @throws when there is none. */
  readonly token: () => Promise<Secret>;
  readonly namespace?: string | undefined;
  /** For a whole request. Default 5,000. */
  readonly timeoutMs?: number;
}

export class VaultSecretBackend implements SecretBackend {
  readonly name = 'vault';
  readonly #options: VaultOptions;

  constructor(options: VaultOptions) {
    this.#options = options;
  }

  async get({ path, field = DEFAULT_VAULT_FIELD }: SecretLocation): Promise<SecretAnswer> {
    const where = `secret:vault:${path}`;
    const { status, text } = await this.#ask(path, where);
    if (status === 404) return MISSING;
    if (status !== 200) throw refusal(status, where);
    const value = fieldOf(membersOf(text, where), field, `${where}#${field}`);
    return value === undefined || value === '' ? MISSING : { type: 'found', secret: new Secret(value) };
  }

  async #ask(path: string, where: string): Promise<{ status: number; text: string }> {
    const { address, token, namespace, timeoutMs = 5_000 } = this.#options;
    const [mount = '', ...rest] = path.split('/').map(encodeURIComponent);
    const url = `${address.replace(/\/+$/, '')}/v1/${mount}/data/${rest.join('/')}`;
    const headers = {
      'X-Vault-Token': (await token()).reveal(),
      'X-Vault-Request': 'true',
      ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
    };
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, { headers, redirect: 'manual', signal });
      return { status: response.status, text: await readBounded(response, MOST_BYTES) };
    } catch (error) {
      if (error instanceof SecretFormatError) throw new SecretFormatError(`${where}: ${error.message}`);
      const late = error instanceof Error && error.name === 'TimeoutError';
      const what = late ? `Vault did not answer within ${timeoutMs} ms` : 'Vault cannot be reached';
      throw new SecretUnavailableError(`${where}: ${what}`);
    }
  }
}

/** The members of the secret's current version. */
function membersOf(text: string, where: string): object {
  const body = objectIn(parseJson(text, where), 'data', where);
  return objectIn(body, 'data', where);
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SecretFormatError(`${where}: the answer is not JSON`);
  }
}

function objectIn(value: unknown, member: string, where: string): object {
  const inner: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, member) : undefined;
  if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) return inner;
  throw new SecretFormatError(`${where}: the answer is not that of a KV version 2 mount`);
}

function refusal(status: number, where: string): Error {
  if (status >= 300 && status < 400) {
    return new ConfigError(
      `${where}: Vault answered ${status}, a redirect, which is not followed; set the active node`,
    );
  }
  // 412: a replica that is behind. 429: standby or rate limit. 472, 473, 501, 503: standby, sealed or not set up.
  if (status === 412 || status === 429 || status === 472 || status === 473 || status >= 500) {
    return new SecretUnavailableError(`${where}: Vault answered ${status}`);
  }
  return new SecretAccessError(`${where}: Vault answered ${status}`, { context: { httpStatus: status } });
}
