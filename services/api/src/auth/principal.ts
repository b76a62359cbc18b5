/** Who makes a request. Decided once, before the request is routed to anything; never from what its body says. */
import type { FastifyRequest } from 'fastify';
import { InvariantError, SCOPES } from '@spine/core';
import type { Scope } from '@spine/core';

export interface Principal {
  /** `local`: local mode, where no key is asked for. `static`: a key of SPINE_API_KEYS. `key`: one of the database. */
  readonly type: 'local' | 'static' | 'key';
  /** `local`, `static:<position>` or `key:<id>`; stands in the audit log and with submitted runs. */
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Sees and submits only runs of it; null: all. */
  readonly namespace: string | null;
}

export const LOCAL: Principal = {
  type: 'local',
  id: 'local',
  name: 'local',
  scopes: SCOPES,
  namespace: null,
};

/** @param position from 1, in SPINE_API_KEYS. */
export function staticPrincipal(position: number): Principal {
  return {
    type: 'static',
    id: `static:${position}`,
    name: `SPINE_API_KEYS #${position}`,
    scopes: ['admin'],
    namespace: null,
  };
}

/** Gone with their requests. */
const principals = new WeakMap<FastifyRequest, Principal>();

/** Done by the guard alone. */
export function attachPrincipal(request: FastifyRequest, principal: Principal): void {
  principals.set(request, principal);
}

/** Null for a request that nobody was asked to identify themselves for, or that was refused. */
export function knownPrincipalOf(request: FastifyRequest): Principal | null {
  return principals.get(request) ?? null;
}

/** Who makes a request that the guard let pass. @throws InvariantError at an endpoint that is open to anybody. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request);
  if (principal === undefined) throw new InvariantError('nobody was asked who makes this request');
  return principal;
}

/** What stands as `by` where the caller names nobody: `api` in local mode, as ever. */
export function actorOf(request: FastifyRequest): string {
  const principal = principalOf(request);
  return principal.type === 'local' ? 'api' : principal.id;
}
