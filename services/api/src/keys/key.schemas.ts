/** Bodies and answers of the endpoints of API keys. */
import { z } from 'zod';
import { isStorableText, NAMESPACE, SCOPES } from '@spine/core';
import type { ApiKeyRecord } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';

/** Seconds the secret before a rotation may go on. */
const MAX_GRACE = 7 * 86_400;
const DEFAULT_GRACE = 3_600;

const expiresAt = z
  .preprocess(
    (value) => (typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? new Date(value) : value),
    z
      .date('must be an instant such as 2027-01-31T12:00:00Z')
      .min(new Date(0))
      .max(new Date(Date.UTC(9999, 0)))
      .meta({ type: 'string', format: 'date-time' }),
  )
  .nullable()
  .describe('From then on it opens nothing; null for never.');

export const newKeyBody = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(200)
      .refine(isStorableText, 'must not contain NUL characters or lone surrogates')
      .describe('For people: who or what uses it.'),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .max(SCOPES.length)
      .describe('What it may do: read, submit, operate, metrics, or admin for everything.'),
    namespace: z
      .string()
      .regex(NAMESPACE, 'must be a-z followed by up to 62 of a-z 0-9 _ -')
      .nullable()
      .optional()
      .describe(
        'Confines it to the runs it submits and those of other keys of the namespace. Default: none.',
      ),
    expires_at: expiresAt.optional(),
  })
  .meta({
    id: 'NewApiKey',
    examples: [
      { name: 'nightly loader', scopes: ['read', 'submit'], namespace: 'loaders', expires_at: null },
    ],
  });
export type NewKeyBody = z.infer<typeof newKeyBody>;

export const rotateBody = z
  .strictObject({
    grace_seconds: z
      .int()
      .min(0)
      .max(MAX_GRACE)
      .default(DEFAULT_GRACE)
      .describe(`How long the secret before goes on. Default ${DEFAULT_GRACE}; 0: not at all.`),
  })
  .default({ grace_seconds: DEFAULT_GRACE })
  .meta({ id: 'RotateApiKey' });
export type RotateBody = z.infer<typeof rotateBody>;

export const expireBody = z.strictObject({ expires_at: expiresAt }).meta({ id: 'ExpireApiKey' });
export type ExpireBody = z.infer<typeof expireBody>;

export const keyListQuery = z.strictObject({ ...cursorPaging });
export type KeyListQuery = z.infer<typeof keyListQuery>;

const instant = z.iso.datetime();

const fields = {
  key_id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  namespace: z.string().nullable().describe('Null: all runs.'),
  status: z.enum(['active', 'expired', 'revoked']),
  created_at: instant,
  created_by: z.string().describe('`key:<id>`, `static:<position>` or `local`.'),
  expires_at: instant.nullable(),
  rotated_at: instant.nullable(),
  previous_until: instant.nullable().describe('Until when the secret before the last rotation goes on.'),
  revoked_at: instant.nullable(),
  revoked_by: z.string().nullable(),
  last_used_at: instant.nullable().describe('To the minute.'),
};

export const keyJson = z.object(fields).meta({ id: 'ApiKey', description: 'A key, without its secret.' });
export type KeyJson = z.infer<typeof keyJson>;

export const shownKeyJson = z
  .object({ ...fields, key: z.string().describe('`spk_<id>.<secret>`. Shown this once, and kept nowhere.') })
  .meta({ id: 'ShownApiKey' });
export type ShownKeyJson = z.infer<typeof shownKeyJson>;

function iso(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}

export function toKeyJson(key: ApiKeyRecord): KeyJson {
  return {
    key_id: key.keyId,
    name: key.name,
    scopes: [...key.scopes],
    namespace: key.namespace,
    status: key.active ? 'active' : key.revokedAt === null ? 'expired' : 'revoked',
    created_at: key.createdAt.toISOString(),
    created_by: key.createdBy,
    expires_at: iso(key.expiresAt),
    rotated_at: iso(key.rotatedAt),
    previous_until: iso(key.previousUntil),
    revoked_at: iso(key.revokedAt),
    revoked_by: key.revokedBy,
    last_used_at: iso(key.lastUsedAt),
  };
}
