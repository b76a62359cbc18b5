/** How Postgres finds what the statistics count: by an index, whatever the tables hold, and never from end to end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  ACTIVE_STATUSES,
  deadLetterGroups,
  findActive,
  findRetryable,
  handlerStats,
  laneBacklog,
  listDeadLetters,
  listRunEvents,
  preparedPage,
  runStats,
  runTimeline,
  staleRuns,
  UNSUCCESSFUL_STATUSES,
  windowOverview,
} from '@spine/database';
import type { Db, Pool, RunFilter } from '@spine/database';
import { openEngineDatabase, storeMany } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';
import { planOf, sentBy, watchedDb } from './plan-support.ts';
import type { Sent, WatchedDb } from './plan-support.ts';

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
  ['an overview', ['runs_pkey'], (db) => windowOverview(db, 24, 1_000)],
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

/** What is planned once for all values. */
const PREPARED: readonly (readonly [name: string, indexes: readonly string[], send: readonly Sent[]])[] = [
  ['a page of all runs', ['runs_pkey'], pagesOf({})],
  ...UNSUCCESSFUL_STATUSES.map(
    (status) => [`a page of runs ${status}`, ['runs_unsuccessful'], pagesOf({ status: [status] })] as const,
  ),
  [
    'a page of events',
    ['run_events_pkey'],
    await sentBy((db) => listRunEvents(db, newId(), { limit: 50, offset: 0, afterEventId: '7' })),
  ],
];

/** The first page, and one that follows. */
function pagesOf(filter: RunFilter): readonly Sent[] {
  return [{}, { beforeRunId: newId() }].map((position) => {
    const statement = preparedPage(filter, { limit: 20, offset: 0, ...position });
    if (statement === null) throw new Error('the page is not prepared');
    return { text: statement.text, values: statement.values ?? [] };
  });
}

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

  it.each(PREPARED)('%s: found by %s, whatever the values', async (_name, indexes, statements) => {
    expect(statements).not.toHaveLength(0);
    for (const statement of statements) {
      const { seqScans, indexes: used } = await planOf(base.pool, 'force_generic_plan', statement);
      expect([statement.text, seqScans, used]).toEqual([statement.text, [], indexes]);
    }
  });
});

describe('pages that are not planned once', () => {
  it.each([
    [{ name: 'echo' }, {}],
    [{ status: ['completed'] }, {}],
    [{ status: ['queued'] }, {}],
    [{ status: ['failed', 'timed_out'] }, {}],
    [{ namespace: 'n', status: ['failed'] }, {}],
    [{}, { offset: 1 }],
    [{}, { limit: 101 }],
  ] satisfies readonly (readonly [RunFilter, object])[])('%j %j', (filter, page) => {
    expect(preparedPage(filter, { limit: 20, offset: 0, ...page })).toBeNull();
  });
});
