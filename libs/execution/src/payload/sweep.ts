/** Removing payloads that no run names: of submits that were refused or died, of attempts that were not accepted. */
import { unneededPayloads } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { PayloadStore } from './store.ts';

/** Younger ones may be on their way to their row. */
export const PAYLOAD_GRACE_MS = 3_600_000;

/** Sweeps a store once; answers with how many payloads were removed. Any number of sweeps may run at once. */
export async function sweepPayloads(
  db: Queryable,
  store: PayloadStore,
  options: { readonly minAgeMs?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  let removed = 0;
  for await (const keys of store.list(options.minAgeMs ?? PAYLOAD_GRACE_MS)) {
    for (const key of await unneededPayloads(db, store.scheme, keys)) {
      await store.delete(key);
      removed += 1;
    }
    if (options.signal?.aborted === true) break;
  }
  return removed;
}
