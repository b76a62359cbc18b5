/** References to secrets, `secret:<backend>:<path>[#field]`. Pure. */
import { ConfigError } from '@spine/core';

export const SECRET_BACKENDS = ['env', 'file', 'vault', 'aws'] as const;
export type SecretBackendName = (typeof SECRET_BACKENDS)[number];

/** Where a secret is. Holds no secret itself: it may be printed. */
export interface SecretReference {
  readonly backend: SecretBackendName;
  readonly path: string;
  /** Of a secret that has several; undefined for the whole. */
  readonly field: string | undefined;
}

/** A reference that cannot be read. It is not quoted: what stands there may be a secret in the wrong place. */
export class SecretReferenceError extends ConfigError {}

const PREFIX = 'secret:';

interface Form {
  readonly path: RegExp;
  readonly fields: boolean;
  readonly example: string;
}

/** Names of one to 128 characters that are not `.` or `..`, separated by slashes. */
const SEGMENTS = String.raw`(?!\.{1,2}(?:/|$))[A-Za-z0-9_.@+=-]{1,128}(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.@+=-]{1,128}){0,15}`;

const FORMS: Readonly<Record<SecretBackendName, Form>> = {
  env: { path: /^[A-Za-z_][A-Za-z0-9_]{0,199}$/, fields: false, example: 'secret:env:NAME' },
  file: { path: new RegExp(`^/?${SEGMENTS}$`), fields: false, example: 'secret:file:name' },
  vault: {
    path: new RegExp(`^(?=[^/]+/)${SEGMENTS}$`),
    fields: true,
    example: 'secret:vault:mount/path#field',
  },
  // Names and ARNs.
  aws: { path: /^[A-Za-z0-9/_+=.@:-]{1,512}$/, fields: true, example: 'secret:aws:name#field' },
};

const FIELD = /^[A-Za-z0-9_.-]{1,128}$/;

/** Whether a setting's value is a reference and not the value itself. */
export function isSecretReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

function isBackend(text: string): text is SecretBackendName {
  return SECRET_BACKENDS.some((name) => name === text);
}

/** @throws SecretReferenceError */
export function parseSecretReference(text: string): SecretReference {
  const rest = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
  const colon = rest.indexOf(':');
  const backend = rest.slice(0, Math.max(0, colon));
  if (!isBackend(backend)) {
    const examples = SECRET_BACKENDS.map((name) => FORMS[name].example).join(', ');
    throw new SecretReferenceError(`not a reference to a secret (not shown); allowed: ${examples}`);
  }
  const form = FORMS[backend];
  const [path = '', field, ...more] = rest.slice(colon + 1).split('#');
  const fieldIsGood = field === undefined || (form.fields && FIELD.test(field));
  if (!form.path.test(path) || !fieldIsGood || more.length > 0) {
    throw new SecretReferenceError(
      `a ${backend} reference of another form (not shown); allowed: ${form.example}`,
    );
  }
  return { backend, path, field };
}

export function formatSecretReference({ backend, path, field }: SecretReference): string {
  return `${PREFIX}${backend}:${path}${field === undefined ? '' : `#${field}`}`;
}
