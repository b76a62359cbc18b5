/** What `spine doctor` and `spine db` ask of large tables is found by an index, whatever the statistics say. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asQueryable, lostRuns, overdueWorkflows, purgeableRuns, unservedWork } from '@spine/database';
import type { Queryable } from '@spine/database';
import { openEngineDatabase, storeMany } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { addPastRuns, DAY_MINUTES } from './history-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

let base: EngineDatabase;
let watched: WatchedDb;

beforeAll(async () => {
  base = await openEngineDatabase();
  watched = watchedDb(base.connectionString);
  for (const table of ['runs', 'workflow_inbox']) {
    await base.admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

const QUESTIONS: readonly (readonly [
  name: string,
  indexes: readonly string[],
  ask: (db: Queryable) => Promise<unknown>,
])[] = [
  ['unserved work', ['runs_dispatch'], (db) => unservedWork(db, 60_000, 100)],
  ['lost runs', ['runs_overdue'], (db) => lostRuns(db, 60_000, 100)],
  ['runs that may be purged', ['runs_pkey'], (db) => purgeableRuns(db, 30)],
  ['workflows that are not advanced', ['workflow_inbox_due'], (db) => overdueWorkflows(db, 60_000)],
];

describe.each([
  [
    'statistics from when there was little',
    async () => {
      await addPastRuns(base.admin, { count: 500, events: false });
      await base.admin.query('ANALYZE runs, workflow_inbox');
      await addPastRuns(base.admin, { count: 10_000, minutesAgo: 40 * DAY_MINUTES, events: false });
      await storeMany(base.pool, 1_000, { lane: 'a' });
      await base.admin.query(
        `INSERT INTO workflow_inbox (workflow_run_id, event, due_at)
         SELECT gen_random_uuid(), '{}', now() + n * interval '1 minute' FROM generate_series(-10, 5000) n`,
      );
    },
  ],
  ['statistics that are up to date', () => base.admin.query('VACUUM ANALYZE runs, workflow_inbox')],
] as const)('with %s', (_, prepare) => {
  beforeAll(async () => void (await prepare()));

  it.each(QUESTIONS)('%s', async (_name, indexes, ask) => {
    const plan = await watched.planOf((db) => ask(asQueryable(db)));
    expect(plan.seqScans.filter((table) => ['runs', 'workflow_inbox', 'run_events'].includes(table))).toEqual(
      [],
    );
    expect(plan.indexes).toEqual(expect.arrayContaining([...indexes]));
  });
});
