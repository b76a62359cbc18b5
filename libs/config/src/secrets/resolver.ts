/**
 * Secrets by reference or by name, out of any backend.
 *
 * 1. A secret leaves only as a `Secret`, which prints [REDACTED]; no error holds one. 2. Those who ask for one secret at
 * the same time share one request. 3. Found secrets are remembered for a while, at most 1,000 of them; that something is
 * missing or failed is not remembered. 4. A backend that could not be asked is never taken for one that has nothing.
 */
import { ConfigError, SpineError, systemClock, ValidationError } from '@spine/core';
import type { Clock } from '@spine/core';
import type { Secret } from '../secret.ts';
import { MissingSecretError, SecretUnavailableError } from './backend.ts';
import type { SecretAnswer, SecretBackend, SecretLocation } from './backend.ts';
import { formatSecretReference, parseSecretReference } from './reference.ts';
import type { SecretReference } from './reference.ts';

/** One place a name is looked for. */
export interface ChainLink {
  readonly backend: SecretBackend;
  /** Where the backend keeps the secret of this name. */
  readonly locate: (name: string) => SecretLocation;
}

export interface ResolverOptions {
  /** At most one of each name. A reference to one that is not here is a ConfigError. */
  readonly backends: readonly SecretBackend[];
  /** Where plain names are looked for, in this order. Default: nowhere. */
  readonly chain?: readonly ChainLink[];
  /** How long a found secret is remembered; 0 is not at all. Default 300. */
  readonly ttlSeconds?: number;
  /** Default: the machine's. */
  readonly clock?: Clock;
}

interface Remembered {
  readonly secret: Secret;
  readonly until: number;
}

const DEFAULT_TTL_SECONDS = 300;
const MOST_REMEMBERED = 1_000;
const NAME = /^[a-z][a-z0-9_]{0,126}$/;

export class SecretsResolver {
  readonly #backends: ReadonlyMap<string, SecretBackend>;
  readonly #chain: readonly ChainLink[];
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #remembered = new Map<string, Remembered>();
  readonly #asking = new Map<string, Promise<SecretAnswer>>();
  #generation = 0;

  constructor({
    backends,
    chain = [],
    ttlSeconds = DEFAULT_TTL_SECONDS,
    clock = systemClock,
  }: ResolverOptions) {
    this.#backends = new Map(backends.map((backend) => [backend.name, backend]));
    this.#chain = chain;
    this.#ttlMs = ttlSeconds * 1_000;
    this.#clock = clock;
  }

  /**
   * The secret of a reference, `secret:<backend>:<path>[#field]`.
   * @throws SecretReferenceError; MissingSecretError; SecretUnavailableError (transient), SecretAccessError,
   * SecretFormatError; ConfigError when the backend is not set up
   */
  async resolve(reference: string | SecretReference): Promise<Secret> {
    const parsed = typeof reference === 'string' ? parseSecretReference(reference) : reference;
    const backend = this.#backends.get(parsed.backend);
    const shown = formatSecretReference(parsed);
    if (backend === undefined) throw new ConfigError(`${shown}: secrets of ${parsed.backend} are not set up`);
    const answer = await this.#get(backend, parsed);
    if (answer.type === 'found') return answer.secret;
    throw new MissingSecretError(`${shown}: there is no such secret`);
  }

  /**
   * The secret of a name, such as `bloomberg_api_key`: out of the first place of the chain that has it. A place that
   * cannot be asked is passed over; when no later one has the secret either, its error is thrown.
   * @throws ValidationError for what is no name; as `resolve`
   */
  async resolveName(name: string): Promise<Secret> {
    if (!NAME.test(name)) {
      throw new ValidationError('name: allowed: a-z followed by up to 126 of a-z 0-9 _', {
        issues: [{ field: 'name', code: 'invalid_secret_name', message: 'not a name of a secret' }],
      });
    }
    let fault: SpineError | undefined;
    for (const { backend, locate } of this.#chain) {
      try {
        const answer = await this.#get(backend, locate(name));
        if (answer.type === 'found') return answer.secret;
      } catch (error) {
        if (!(error instanceof SpineError)) throw error;
        // The one that may answer later says more about what to do than one that refuses.
        if (fault === undefined || error instanceof SecretUnavailableError) fault = error;
      }
    }
    if (fault !== undefined) throw fault;
    const places = this.#chain.map(({ backend }) => backend.name).join(', ');
    throw new MissingSecretError(`secret ${name}: not in any of ${places === '' ? 'no places' : places}`);
  }

  /** Forgets what is remembered, for example after a rotation. What is being asked for now is not remembered either. */
  forget(): void {
    this.#generation += 1;
    this.#remembered.clear();
    this.#asking.clear();
  }

  #get(backend: SecretBackend, location: SecretLocation): Promise<SecretAnswer> {
    const key = JSON.stringify([backend.name, location.path, location.field ?? null]);
    const known = this.#remembered.get(key);
    if (known !== undefined && known.until > this.#clock.now().getTime()) {
      return Promise.resolve({ type: 'found', secret: known.secret });
    }
    this.#remembered.delete(key);
    return this.#asking.get(key) ?? this.#ask(key, backend, location);
  }

  #ask(key: string, backend: SecretBackend, location: SecretLocation): Promise<SecretAnswer> {
    const generation = this.#generation;
    const asking = backend
      .get(location)
      .then((answer) => {
        if (answer.type === 'found' && generation === this.#generation) this.#remember(key, answer.secret);
        return answer;
      })
      .finally(() => {
        if (this.#asking.get(key) === asking) this.#asking.delete(key);
      });
    this.#asking.set(key, asking);
    return asking;
  }

  #remember(key: string, secret: Secret): void {
    if (this.#ttlMs === 0) return;
    this.#remembered.set(key, { secret, until: this.#clock.now().getTime() + this.#ttlMs });
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size > MOST_REMEMBERED && oldest.done !== true)
      this.#remembered.delete(oldest.value);
  }
}
