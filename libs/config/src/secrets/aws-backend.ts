/**
 * Secrets in AWS Secrets Manager, through the SDK, which is loaded with the first secret that is asked for. Credentials
 * are found as the SDK always does: variables, files, the instance's or the pod's role.
 */
import { Secret } from '../secret.ts';
import { fieldOf, MISSING, SecretAccessError, SecretFormatError, SecretUnavailableError } from './backend.ts';
import type { SecretAnswer, SecretBackend, SecretLocation } from './backend.ts';

export interface AwsOptions {
  /** Default: the SDK's own rules. */
  readonly region?: string | undefined;
  /** Default: the region's own. */
  readonly endpoint?: string | undefined;
  /** For one try. Default 5,000. */
  readonly timeoutMs?: number;
  /** Tries before it gives up, with the SDK's pauses between them. Default 3. */
  readonly attempts?: number;
  /** Default: the SDK's own rules. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

type Ask = (secretId: string) => Promise<string | undefined>;

/** The secret exists no more: AWS keeps it for a while to be restored. */
const GONE = ['ResourceNotFoundException'];
const REFUSED = [
  'AccessDeniedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'MissingAuthenticationTokenException',
  'CredentialsProviderError',
  'DecryptionFailure',
  'InvalidRequestException',
  'InvalidParameterException',
  'ValidationException',
];

export class AwsSecretBackend implements SecretBackend {
  readonly name = 'aws';
  readonly #options: AwsOptions;
  #ask: Promise<Ask> | null = null;

  constructor(options: AwsOptions = {}) {
    this.#options = options;
  }

  async get({ path, field }: SecretLocation): Promise<SecretAnswer> {
    const where = `secret:aws:${path}`;
    const text = await this.#text(path, where);
    const value =
      text === undefined || field === undefined
        ? text
        : fieldOf(membersOf(text, where), field, `${where}#${field}`);
    return value === undefined || value === '' ? MISSING : { type: 'found', secret: new Secret(value) };
  }

  async #text(path: string, where: string): Promise<string | undefined> {
    this.#ask ??= connect(this.#options);
    const ask = await this.#ask;
    try {
      return await ask(path);
    } catch (error) {
      const name = error instanceof Error ? error.name : 'an unknown fault';
      if (GONE.includes(name)) return undefined;
      // The SDK's messages name the caller's identity and may quote parts of requests.
      if (REFUSED.includes(name)) throw new SecretAccessError(`${where}: AWS refuses (${name})`);
      if (error instanceof SecretFormatError) throw new SecretFormatError(`${where}: ${error.message}`);
      throw new SecretUnavailableError(`${where}: AWS Secrets Manager cannot be asked (${name})`);
    }
  }
}

async function connect({
  region,
  endpoint,
  timeoutMs = 5_000,
  attempts = 3,
  credentials,
}: AwsOptions): Promise<Ask> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({
    maxAttempts: attempts,
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs, throwOnRequestTimeout: true },
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  return async (secretId) => {
    const { SecretString, SecretBinary } = await client.send(
      new GetSecretValueCommand({ SecretId: secretId }),
    );
    if (SecretString === undefined && SecretBinary !== undefined) {
      throw new SecretFormatError('the secret is binary, not text');
    }
    return SecretString;
  };
}

function membersOf(text: string, where: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new SecretFormatError(`${where}: is not a JSON object, and has no fields`);
}
