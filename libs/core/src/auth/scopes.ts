/** What callers of the API may do, and what they may give to others. Pure. */

/** What a key may be given. `admin` includes all others, `read` includes `metrics`; nothing else includes another. */
export const SCOPES = ['read', 'submit', 'operate', 'admin', 'metrics'] as const;
export type Scope = (typeof SCOPES)[number];

/** The form of a namespace: a-z, then up to 62 of a-z 0-9 _ -. */
export const NAMESPACE = /^[a-z][a-z0-9_-]{0,62}$/;

/** Whether somebody who holds these scopes may use an endpoint that needs `needed`. */
export function satisfiesScope(held: readonly Scope[], needed: Scope): boolean {
  if (held.includes('admin') || held.includes(needed)) return true;
  // What the numbers are made of can be read anyway.
  return needed === 'metrics' && held.includes('read');
}

/** What a caller holds, or wants to give. */
export interface Grant {
  readonly scopes: readonly Scope[];
  /** Null: every namespace. */
  readonly namespace: string | null;
}

export type GrantVerdict =
  | { readonly type: 'granted' }
  /** The giver does not have these itself. */
  | { readonly type: 'scopes_missing'; readonly scopes: readonly Scope[] }
  /** The giver is confined to `own` and wanted to give another namespace, or all of them. */
  | { readonly type: 'namespace_confined'; readonly own: string };

/** Nobody can give more than they have. */
export function mayGrant(giver: Grant, wanted: Grant): GrantVerdict {
  const missing = wanted.scopes.filter((scope) => !satisfiesScope(giver.scopes, scope));
  if (missing.length > 0) return { type: 'scopes_missing', scopes: missing };
  if (giver.namespace !== null && giver.namespace !== wanted.namespace) {
    return { type: 'namespace_confined', own: giver.namespace };
  }
  return { type: 'granted' };
}
