/** The text of an API key, `spk_<id>.<secret>`, and when one is good. Pure. */

export const API_KEY_PREFIX = 'spk_';

/** 32 hexadecimal digits of the id, 43 characters of base64url for 32 random bytes. */
const FORM = /^spk_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})\.[A-Za-z0-9_-]{43}$/;

/** @param keyId a UUID. @param secret 32 random bytes as base64url. */
export function formatApiKey(keyId: string, secret: string): string {
  return `${API_KEY_PREFIX}${keyId.replaceAll('-', '')}.${secret}`;
}

/** The id in the text of a key, as a UUID; null for what has not the form of a key. */
export function parseApiKey(text: string): string | null {
  const match = FORM.exec(text);
  return match === null ? null : match.slice(1).join('-');
}

/** What is known of a key when it is offered. Times are milliseconds from now, negative once over. */
export interface KeyState {
  readonly revoked: boolean;
  /** Null: never. */
  readonly expiresInMs: number | null;
  /** Which of its secrets was offered. */
  readonly offered: 'current' | 'previous' | 'neither';
  /** How long the secret before the last rotation is good; null for none. */
  readonly previousForMs: number | null;
}

/** Whether a key opens anything. Every reason why not is the same to whoever offers it. */
export function isKeyUsable({ revoked, expiresInMs, offered, previousForMs }: KeyState): boolean {
  if (revoked || (expiresInMs !== null && expiresInMs <= 0)) return false;
  switch (offered) {
    case 'current':
      return true;
    case 'previous':
      return previousForMs !== null && previousForMs > 0;
    case 'neither':
      return false;
  }
}
