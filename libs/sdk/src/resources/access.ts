/** Who may call, and who has. */
import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  ExpireApiKey,
  ListAuditData,
  ListKeysData,
  NewApiKey,
  RotateApiKey,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** API keys. Their secrets are answered once, by `create` and `rotate`, which are not repeated by themselves. */
export function keys({ api, call }: Connection) {
  const path = (keyId: string) => ({ path: { key_id: keyId } });
  return {
    list: (query?: Query<ListKeysData>, options?: CallOptions) =>
      paged(query, (query) => api.listKeys({ ...call(options), query })),
    get: (keyId: string, options?: CallOptions) => dataOf(api.getKey({ ...call(options), ...path(keyId) })),
    create: (body: NewApiKey, options?: CallOptions) => dataOf(api.createKey({ ...call(options), body })),
    /** A new secret; the old one is good for `grace_seconds` more. */
    rotate: (keyId: string, body: RotateApiKey = {}, options?: CallOptions) =>
      dataOf(api.rotateKey({ ...call(options), ...path(keyId), body })),
    expire: (keyId: string, body: ExpireApiKey, options?: CallOptions) =>
      dataOf(api.expireKey({ ...call(options), ...path(keyId), body })),
    revoke: (keyId: string, options?: CallOptions) =>
      dataOf(api.revokeKey({ ...call(options), ...path(keyId) })),
  };
}

/** Every call that has changed something, newest first. */
export function audit({ api, call }: Connection) {
  return {
    list: (query?: Query<ListAuditData>, options?: CallOptions) =>
      paged(query, (query) => api.listAudit({ ...call(options), query })),
  };
}
