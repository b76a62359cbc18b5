/** Where the next page of a search goes on, when runs go while a page is being read. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KyselyPlugin } from 'kysely';
import { createDb, createPool, listRuns, SEARCH_LIMIT } from '@spine/database';
import type { Db, Pool } from '@spine/database';
import { createTestDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { addPastRuns } from './history-support.ts';

let database: TestDatabase;
let admin: Pool;
let db: Db;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = createPool({ connectionString: database.connectionString, role: null, max: 1 });
  db = createDb(createPool({ connectionString: database.connectionString, max: 1 }));
});
afterAll(async () => {
  await db.destroy();
  await admin.end();
  await database.drop();
});

/** Does something once, when the first statement has been answered. */
function afterFirst(act: () => Promise<unknown>): KyselyPlugin {
  let isDone = false;
  return {
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (!isDone) {
        isDone = true;
        await act();
      }
      return result;
    },
  };
}

it('is no later than where this page has stopped looking', async () => {
  const old = await addPastRuns(admin, { count: 5, lane: 'rare', minutesAgo: 120, events: false });
  await addPastRuns(admin, { count: SEARCH_LIMIT - 10, lane: 'busy', events: false });
  const newest = await addPastRuns(admin, { count: 10, lane: 'busy', minutesAgo: 30, events: false });
  const hurried = db.withPlugin(
    afterFirst(() => admin.query('DELETE FROM runs WHERE id = ANY ($1::uuid[])', [newest])),
  );
  const first = await listRuns(hurried, { lane: 'rare' }, { limit: 10, offset: 0 });
  expect(first).toMatchObject({ runs: [], hasMore: true, searchEnded: true });
  const page = { limit: 10, offset: 0, beforeRunId: first.nextBefore ?? '' };
  const second = await listRuns(db, { lane: 'rare' }, page);
  expect(second.runs.map(({ runId }) => runId)).toEqual(old.toReversed());
});
