/** The maintenance service that carries running backfills forward. Any number may run: each plan is at one at a time. */
import { activeBackfills } from '@spine/database';
import type { Logger } from '@spine/observability';
import { Ticker } from '../maintenance/ticker.ts';
import { pumpBackfill } from './pump.ts';
import type { PumpServices } from './pump.ts';

export interface BackfillPumpOptions extends PumpServices {
  readonly logger: Logger;
  /** Between two rounds. Default 500 ms. */
  readonly everyMs?: number;
}

const EVERY_MS = 500;

export function createBackfillPump(options: BackfillPumpOptions): Ticker {
  const { db, logger } = options;
  return new Ticker({
    name: 'backfill-pump',
    everyMs: options.everyMs ?? EVERY_MS,
    logger,
    tick: async (signal) => {
      for (const backfillId of await activeBackfills(db)) {
        if (signal.aborted) return false;
        try {
          const round = await pumpBackfill(options, backfillId);
          if (round !== null && round.ended !== null)
            logger.info({ backfill_id: backfillId, status: round.ended }, 'backfill ended');
        } catch (error) {
          // One plan that cannot go on does not hold up the others; its round is made again.
          logger.warn({ err: error, backfill_id: backfillId }, 'a round of a backfill failed');
        }
      }
      return false;
    },
  });
}
