/**
 * What a log line keeps to itself: fields by their names, credentials by the forms they have in text. Pure.
 *
 * It is the second line of defence: what knows that it holds a secret (a `Secret` of the settings, the values of
 * `ctx.secret`) hides it itself.
 */
import { isSecretName, REDACTED, toErrorInfo } from '@spine/core';

/** Deeper fields are not looked at. */
const MAX_DEPTH = 8;

const CONNECTION = /^(?:dsn|connection_?string)$/i;

function hides(name: string, value: unknown): boolean {
  // A count or a flag of that name tells nothing: `max_tokens: 100`.
  if (value === null || (typeof value !== 'string' && typeof value !== 'object')) return false;
  return isSecretName(name) || CONNECTION.test(name);
}

/** What is printed by its fields: plain objects, and those of classes that do not say themselves how they are printed. */
function isOfFields(value: object): value is Record<string, unknown> {
  return !ArrayBuffer.isView(value) && !('toJSON' in value);
}

function redacted(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const kept = items.map((item) => redacted(item, depth - 1));
    return kept.some((item, index) => item !== items[index]) ? kept : value;
  }
  if (value instanceof Error) return tellError(value);
  return isOfFields(value) ? redactedFields(value, depth) : value;
}

function redactedFields(fields: Record<string, unknown>, depth: number): Record<string, unknown> {
  let kept: Record<string, unknown> | null = null;
  for (const [name, value] of Object.entries(fields)) {
    const after = hides(name, value) ? REDACTED : redacted(value, depth - 1);
    if (after === value) continue;
    kept ??= { ...fields };
    kept[name] = after;
  }
  return kept ?? fields;
}

/**
 * The fields of a line, without those whose names say that they may hold a secret; errors among them as {@link tellError}
 * tells them. Nothing hidden, nothing copied.
 */
export function redactFields(fields: Record<string, unknown>): Record<string, unknown> {
  return redactedFields(fields, MAX_DEPTH);
}

/** Causes and inner errors that are told; an error may be its own cause. */
const MAX_CAUSES = 5;

/**
 * What a log line keeps of an error. Drivers hang their whole connection on theirs, statements and settings included;
 * only these fields are safe and of use. Of what was thrown and is no error, the type and the message are.
 */
export function tellError(thrown: unknown, causes = MAX_CAUSES): unknown {
  const { type, message } = toErrorInfo(thrown);
  if (!(thrown instanceof Error)) return { type, message };
  const code = 'code' in thrown && typeof thrown.code === 'string' ? { code: thrown.code } : {};
  const cause =
    thrown.cause === undefined || causes === 0 ? {} : { cause: tellError(thrown.cause, causes - 1) };
  return { type, message, stack: thrown.stack, ...code, ...cause };
}

/** `scheme://user:password@`: the user goes too, as it may be a token. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?:[^\s"/?#\\]|\\.)*@/gi;
/** `password=...`, of a query or of a connection string. */
const NAMED_VALUE =
  /\b((?:[a-z0-9]{1,30}[_-]){0,3}(?:password|passwd|pwd|secret|token|api_?key|access_?key|signature|sig))=(?!\[REDACTED\])[^\s&"'\\;,]+/gi;
const BEARER = /\b(bearer\s+)[\w.~+/=-]{16,}/gi;

/** A text without the credentials of URLs, connection strings and headers in it. JSON stays JSON. */
export function redactText(text: string): string {
  let clean = text;
  if (clean.includes('://')) clean = clean.replace(URL_CREDENTIALS, `$1${REDACTED}@`);
  if (clean.includes('=')) clean = clean.replace(NAMED_VALUE, `$1=${REDACTED}`);
  return /bearer/i.test(clean) ? clean.replace(BEARER, `$1${REDACTED}`) : clean;
}
