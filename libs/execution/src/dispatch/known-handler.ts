/** Whether anybody can execute runs of a handler: what a submit, a schedule or a plan of runs is checked by. */
import { handlerKey } from '@spine/core';
import type { RunKind } from '@spine/core';
import type { Queryable } from '@spine/database';
import type { HandlerRegistry } from '../registry/registry.ts';
import type { CapacityCache } from './capacity.ts';

export interface KnownHandlers {
  readonly pool: Queryable;
  readonly registry: HandlerRegistry;
  readonly capacity: CapacityCache;
}

/** Known to this process, to a live worker, or published under a kind that this process knows whole. */
export async function isKnownHandler(
  { pool, registry, capacity }: KnownHandlers,
  kind: RunKind,
  name: string,
): Promise<boolean> {
  if (registry.get(kind, name) !== undefined) return true;
  const { handlers } = await capacity.fresh();
  if (handlers.has(handlerKey(kind, name))) return true;
  return (await registry.wholeKind(kind)?.isKnown(pool, name)) ?? false;
}
