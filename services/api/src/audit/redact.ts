/** What the audit log keeps of a definition: everything but what may be a secret, and not without bound. Pure. */
import { isSecretName, sha256Hex } from '@spine/core';

const REDACTED = '[REDACTED]';

/** Characters of JSON that are kept of a definition. */
export const AUDIT_JSON_LIMIT = 64 * 1024;
const MAX_DEPTH = 70;

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

/** JSON text; of what is too large its size and hash. Null for nothing. */
export function auditJson(definition: unknown): string | null {
  if (definition === undefined || definition === null) return null;
  const text = JSON.stringify(redacted(definition, MAX_DEPTH));
  if (text.length <= AUDIT_JSON_LIMIT) return text;
  return JSON.stringify({ $omitted: { bytes: Buffer.byteLength(text), sha256: sha256Hex(text) } });
}
