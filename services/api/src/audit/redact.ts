/** What the audit log keeps of a definition, or of a body: everything but what may be a secret, and not without bound. Pure. */
import { isSecretName, REDACTED, sha256Hex } from '@spine/core';

/** Characters of JSON that are kept of a definition. */
export const AUDIT_JSON_LIMIT = 64 * 1024;
/** And of a body: it is kept of refused calls too, which anybody with the scope can make as often as they like. */
export const AUDIT_REQUEST_LIMIT = 4 * 1024;
const MAX_DEPTH = 70;
/** Texts of a body that are longer, or of several lines, are documents: names within them are not looked at. */
const MAX_TEXT = 1_000;

function redacted(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return REDACTED;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item) => redacted(item, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      isSecretName(name) && item !== null ? REDACTED : redacted(item, depth - 1),
    ]),
  );
}

/** JSON text; of what is longer than `limit` its size and hash. Null for nothing. */
export function auditJson(definition: unknown, limit: number = AUDIT_JSON_LIMIT): string | null {
  if (definition === undefined || definition === null) return null;
  const text = JSON.stringify(redacted(definition, MAX_DEPTH));
  if (text.length <= limit) return text;
  return JSON.stringify(omitted(text));
}

function omitted(text: string): unknown {
  return { $omitted: { bytes: Buffer.byteLength(text), sha256: sha256Hex(text) } };
}

function withoutDocuments(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.length > MAX_TEXT || value.includes('\n') ? omitted(value) : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutDocuments);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutDocuments(item)]));
}

/** The same of a body, whose documents (YAML, a query) are named by size and hash as well. Null for none. */
export function auditRequestJson(body: unknown): string | null {
  return auditJson(withoutDocuments(body), AUDIT_REQUEST_LIMIT);
}
