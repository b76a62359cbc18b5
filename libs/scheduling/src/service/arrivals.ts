/**
 * Looks whether what was expected has come.
 *
 * 1. A partition is late when its time is over by the database's clock and the manifest does not have all the stages
 *    its schedule asks for.
 * 2. Only partitions whose time came after their schedule was made are looked at: nobody expected them before.
 * 3. A schedule that cannot be looked at holds up no other.
 */
import { addDays, expectedPartitions, plainDateFromInstant } from '@spine/core';
import type { ExpectedPartition, PlainDate } from '@spine/core';
import {
  completePartitions,
  databaseNow,
  knownLate,
  listExpectedSchedules,
  openLatePartitions,
  partitionKeyText,
  recordArrival,
  recordLate,
} from '@spine/database';
import type { Db, StoredExpectedSchedule } from '@spine/database';
import { Ticker } from '@spine/execution';
import type { Logger } from '@spine/observability';

export interface ArrivalsOptions {
  readonly db: Db;
  readonly logger: Logger;
  /** Default a minute. */
  readonly everyMs?: number;
}

export interface ArrivalCounts {
  readonly late: number;
  readonly arrived: number;
}

/** Longest delay and period there are: what ended before cannot become late any more. */
const LOOK_BACK_DAYS = 366 + 92;
const PAGE = 200;
const KEYS_AT_ONCE = 1_000;

export async function checkArrivals({ db, logger }: ArrivalsOptions): Promise<ArrivalCounts> {
  const now = await databaseNow(db);
  let [late, arrived] = [0, 0];
  for (let offset = 0; ; offset += PAGE) {
    const page = await listExpectedSchedules(db, { active: true }, { limit: PAGE, offset });
    for (const schedule of page.items) {
      try {
        late += await findLate(db, schedule, now);
        arrived += await findArrived(db, schedule);
      } catch (error) {
        const { domain, workflow } = schedule;
        logger.warn({ err: error, domain, workflow }, 'an expected schedule could not be checked');
      }
    }
    if (!page.hasMore) return { late, arrived };
  }
}

async function findLate(db: Db, schedule: StoredExpectedSchedule, now: Date): Promise<number> {
  let late = 0;
  const due = dueBy(schedule, now);
  for (let at = 0; at < due.length; at += KEYS_AT_ONCE) {
    const some = due.slice(at, at + KEYS_AT_ONCE);
    const keys = some.map(({ partitionKey }) => partitionKey);
    const there = await completePartitions(db, schedule.domain, keys, schedule.requiredStages);
    const known = await knownLate(db, schedule, keys);
    for (const partition of some) {
      const key = partitionKeyText(partition.partitionKey);
      if (!there.has(key) && !known.has(key) && (await recordLate(db, schedule, partition))) late += 1;
    }
  }
  return late;
}

/** What should be there by now and was expected after the schedule was made. */
function dueBy(schedule: StoredExpectedSchedule, now: Date): readonly ExpectedPartition[] {
  const earliest = addDays(plainDateFromInstant(now), -LOOK_BACK_DAYS);
  const made = addDays(plainDateFromInstant(schedule.createdAt), -LOOK_BACK_DAYS);
  const from: PlainDate = made > earliest ? made : earliest;
  return expectedPartitions(schedule, from, plainDateFromInstant(now)).filter(
    ({ expectedAt }) => expectedAt <= now && expectedAt > schedule.createdAt,
  );
}

async function findArrived(db: Db, schedule: StoredExpectedSchedule): Promise<number> {
  let arrived = 0;
  for (let after = ''; ;) {
    const open = await openLatePartitions(db, schedule, KEYS_AT_ONCE, after);
    const keys = open.map(({ partitionKey }) => partitionKey);
    const there = await completePartitions(db, schedule.domain, keys, schedule.requiredStages);
    for (const partition of open) {
      const isThere = there.has(partitionKeyText(partition.partitionKey));
      if (isThere && (await recordArrival(db, schedule, partition))) arrived += 1;
    }
    const last = open.at(-1);
    if (last === undefined || open.length < KEYS_AT_ONCE) return arrived;
    after = partitionKeyText(last.partitionKey);
  }
}

/** Anomalies and events for what does not come, and for what comes late. */
export function createArrivals(options: ArrivalsOptions): Ticker {
  const { logger, everyMs = 60_000 } = options;
  return new Ticker({
    name: 'arrivals',
    everyMs,
    logger,
    tick: async () => {
      const { late, arrived } = await checkArrivals(options);
      if (late > 0) logger.warn({ late }, 'expected partitions have not come');
      if (arrived > 0) logger.info({ arrived }, 'late partitions have come');
      return false;
    },
  });
}
