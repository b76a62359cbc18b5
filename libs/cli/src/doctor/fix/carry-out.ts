/**
 * Doing what the doctor proposes. Each is what a process of Spine does as well, guarded in the database: somebody else who
 * does the same at the same time does no harm, and neither does doing it again.
 */
import type { Settings } from '@spine/config';
import { assertNever, ConfigError } from '@spine/core';
import { createDatabaseOf, createPool, reapRuns, sweepHolds } from '@spine/database';
import type { HoldCursor, Pool } from '@spine/database';
import { keepRedisKeys } from '@spine/execution';
import { prepareQueue } from '../../launch/queue.ts';
import { prepareSchema } from '../../launch/schema.ts';
import { databaseOf } from '../../local/target.ts';
import { counted } from '../finding.ts';
import type { Remedy } from './remedy.ts';

export interface CarryOut {
  readonly settings: Settings;
  /** Longest wait for Redis. */
  readonly timeoutMs: number;
  /** Ends what goes on for long between two steps: Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Runs, or places, of one statement. */
const BATCH = 500;

/** @returns what was done, as a person reads it. @throws what stood in the way, or the signal's reason */
export async function carryOut(remedy: Remedy, place: CarryOut): Promise<string> {
  switch (remedy) {
    case 'create_database': {
      const connectionString = await connectionOf(place);
      const isNew = await createDatabaseOf(connectionString);
      return `${isNew ? 'created the database' : 'somebody has created the database meanwhile'}; ${await migrate(connectionString, place)}`;
    }
    case 'migrate':
      return migrate(await connectionOf(place), place);
    case 'keep_redis_keys': {
      const { timeoutMs, settings } = place;
      const url = settings.redis.url?.reveal();
      if (url === undefined) throw new ConfigError('SPINE_REDIS_URL is not set any more');
      const { isLasting } = await keepRedisKeys({ url, timeoutMs });
      return isLasting
        ? 'maxmemory-policy is noeviction, in redis.conf too'
        : 'maxmemory-policy is noeviction until Redis restarts: put the same into its configuration';
    }
    case 'take_runs_back':
      return withPool(place, async (pool) => {
        let taken = 0;
        for (let last = BATCH; last === BATCH; taken += last) {
          place.signal.throwIfAborted();
          last = (await reapRuns(pool, BATCH)).length;
        }
        return `${counted(taken, 'run')} taken back: queued again, or ended where nothing was left to try`;
      });
    case 'remove_left_places':
      return withPool(place, async (pool) => {
        let removed = 0;
        let after: HoldCursor | null = null;
        do {
          place.signal.throwIfAborted();
          const swept = await sweepHolds(pool, after, BATCH);
          removed += swept.removed;
          after = swept.next;
        } while (after !== null);
        return `${counted(removed, 'place')} removed`;
      });
    default:
      return assertNever(remedy);
  }
}

async function connectionOf({ settings }: CarryOut): Promise<string> {
  const target = await databaseOf(settings);
  if (target.type === 'none') throw new ConfigError(target.why);
  return target.connectionString;
}

async function migrate(databaseUrl: string, { settings }: CarryOut): Promise<string> {
  const { applied, version } = await prepareSchema(databaseUrl, () => undefined);
  const queue = await prepareQueue({ databaseUrl, redisUrl: settings.redis.url?.reveal() });
  return `${counted(applied.length, 'migration')} applied, schema version ${version}, queue ready on ${queue}`;
}

async function withPool(place: CarryOut, work: (pool: Pool) => Promise<string>): Promise<string> {
  const connectionString = await connectionOf(place);
  const pool = createPool({ connectionString, max: 1, applicationName: 'spine-doctor' });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}
