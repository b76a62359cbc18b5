/** How Postgres finds what the statistics count: by an index, whatever the tables hold, and never from end to end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACTIVE_STATUSES,
  deadLetterGroups,
  findActive,
  findRetryable,
  handlerStats,
  laneBacklog,
  listDeadLetters,
  runStats,
  runTimeline,
  staleRuns,
} from '@spine/database';
import type { Db, Pool } from '@spine/database';
import { openEngineDatabase, storeMany } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

let base: EngineDatabase;
let admin: Pool;
let watched: WatchedDb;

beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
  watched = watchedDb(base.connectionString);
  for (const table of ['runs', 'run_events', 'dead_letters'])
    await admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

const STATISTICS: readonly (readonly [
  name: string,
  indexes: readonly string[],
  ask: (db: Db) => Promise<unknown>,
])[] = [
  ['statistics of runs', ['runs_pkey'], (db) => runStats(db, 1)],
  ['statistics of handlers', ['runs_pkey'], (db) => handlerStats(db, 1)],
  ['a timeline', ['runs_pkey'], (db) => runTimeline(db, 1, 5)],
  ['the backlog', ['runs_dispatch', 'runs_overdue'], (db) => laneBacklog(db)],
  ['stale runs', ['runs_dispatch', 'runs_overdue'], (db) => staleRuns(db, 60_000, 100)],
  [
    'runs to retry',
    ['runs_unsuccessful', 'runs_retried'],
    (db) => findRetryable(db, {}, ['failed', 'timed_out'], 100),
  ],
  [
    'runs to cancel',
    ['runs_dispatch', 'runs_overdue', 'runs_paused'],
    (db) => findActive(db, {}, ACTIVE_STATUSES, 100),
  ],
  ['statistics of dead letters', ['dead_letters_closed'], (db) => deadLetterGroups(db, 30)],
  [
    'pending dead letters, oldest first',
    ['dead_letters_pending'],
    (db) => listDeadLetters(db, { resolved: false }, { limit: 100, offset: 0, order: 'oldest_first' }),
  ],
];

describe.each([
  [
    'statistics from when there was no history',
    async () => {
      await addPastRuns(admin, { count: 2_000, minutesAgo: 30, events: false });
      await storeMany(base.pool, 3_000, { lane: 'a' });
      await admin.query('ANALYZE runs, dead_letters');
      await storeMany(base.pool, 10, { lane: 'b' });
      await addPastRuns(admin, { count: 40_000, minutesAgo: 40 * DAY_MINUTES, events: false });
      await addPastRuns(admin, { count: 500, minutesAgo: 50 * DAY_MINUTES, status: 'failed', events: false });
      const letters = await addPastRuns(admin, { count: 20_000, status: 'dead_lettered', events: false });
      await resolvePast(admin, letters.slice(0, 19_000), 100 * DAY_MINUTES);
    },
  ],
  ['statistics that are up to date', () => admin.query('VACUUM ANALYZE runs, dead_letters')],
])('with %s', (_, prepare) => {
  beforeAll(async () => {
    await prepare();
  });

  it.each(STATISTICS)('%s: found by %s', async (_name, indexes, ask) => {
    const { seqScans, indexes: used } = await watched.planOf(ask);
    expect(seqScans.filter((table) => table === 'runs' || table === 'dead_letters')).toEqual([]);
    expect([...used]).toEqual(expect.arrayContaining([...indexes]));
  });
});
