import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { Payloads } from '../payload/payloads.ts';
import { sweepPayloads } from '../payload/sweep.ts';
import { Ticker } from './ticker.ts';

export interface PayloadSweepOptions {
  readonly pool: Queryable;
  readonly payloads: Payloads;
  readonly logger: Logger;
  /** Between two sweeps. Default an hour. */
  readonly everyMs?: number;
  /** Younger payloads are left alone. Default an hour. */
  readonly minAgeMs?: number;
}

/** Removes payloads that no run names, and the files of runs that were deleted. */
export function createPayloadSweep(options: PayloadSweepOptions): Ticker {
  const { pool, payloads, logger, minAgeMs } = options;
  return new Ticker({
    name: 'payload-sweep',
    everyMs: options.everyMs ?? 3_600_000,
    logger,
    tick: async (signal) => {
      for (const store of payloads.stores) {
        const removed = await sweepPayloads(pool, store, {
          signal,
          ...(minAgeMs === undefined ? {} : { minAgeMs }),
        });
        if (removed > 0) logger.info({ store: store.scheme, removed }, 'payloads without a run removed');
      }
      return false;
    },
  });
}
