/** In whose name a decision is made: of the caller, where it is known who that is. */
import { satisfiesScope } from './scopes.ts';
import type { Scope } from './scopes.ts';

export type Decider =
  | { readonly type: 'decides'; readonly name: string }
  /** Nobody knows who calls, and the caller has not said it. */
  | { readonly type: 'nameless' }
  /** The caller has a name, and has said another. */
  | { readonly type: 'pretends'; readonly name: string };

/**
 * A caller with a name decides in that one. Another may be given by callers with the scope admin, who could make a key of that
 * name, and where nobody knows who calls.
 * @param caller null where no key was asked for
 */
export function deciderOf(
  caller: { readonly name: string; readonly scopes: readonly Scope[] } | null,
  claimed: string | undefined,
): Decider {
  if (caller === null) {
    return claimed === undefined ? { type: 'nameless' } : { type: 'decides', name: claimed };
  }
  const { name, scopes } = caller;
  if (claimed === undefined || claimed === name) return { type: 'decides', name };
  return satisfiesScope(scopes, 'admin') ? { type: 'decides', name: claimed } : { type: 'pretends', name };
}
