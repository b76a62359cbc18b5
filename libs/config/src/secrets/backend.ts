/** What a place that keeps secrets answers, and how it fails. No message here ever holds a secret. */
import { AuthError, ConfigError, NotFoundError, TransientError } from '@spine/core';
import type { Secret } from '../secret.ts';
import type { SecretBackendName } from './reference.ts';

/** Which secret of a backend. */
export interface SecretLocation {
  readonly path: string;
  readonly field?: string | undefined;
}

export type SecretAnswer =
  | { readonly type: 'found'; readonly secret: Secret }
  /** The backend works, and has no such secret or field. */
  | { readonly type: 'missing' };

export interface SecretBackend {
  readonly name: SecretBackendName;
  /**
   * Asks once: remembering is the resolver's.
   * @throws SecretUnavailableError, SecretAccessError, SecretFormatError, ConfigError
   */
  get(location: SecretLocation): Promise<SecretAnswer>;
}

/** No backend that was asked has the secret. */
export class MissingSecretError extends NotFoundError {}
/** The backend cannot be asked now; later it may answer. */
export class SecretUnavailableError extends TransientError {}
/** The backend refuses: the credentials are wrong, or do not reach this secret. */
export class SecretAccessError extends AuthError {}
/** What the backend has is not a secret that can be used. */
export class SecretFormatError extends ConfigError {}

export const MISSING: SecretAnswer = { type: 'missing' };

/**
 * A field of a secret that is a JSON object: its own member, which is text, or a number or boolean as text.
 * @throws SecretFormatError for a member of another type
 */
export function fieldOf(members: object, field: string, where: string): string | undefined {
  const value: unknown = Object.hasOwn(members, field) ? Reflect.get(members, field) : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new SecretFormatError(
    `${where}: the field is ${Array.isArray(value) ? 'a list' : 'an object'}, not text`,
  );
}
