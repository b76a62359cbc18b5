/** How Postgres finds what the statistics count: by an index, whatever the tables hold, and never from end to end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACTIVE_STATUSES,
  createDb,
  createPool,
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

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

let base: EngineDatabase;
let admin: Pool;
/** Every statement sent through it, explained: tables read from end to end, and indexes used. */
let explained: { readonly seqScans: string[]; readonly indexes: Set<string> };
let watched: Db;

/** A pool whose every statement is explained on the same connection before it is sent. */
function explaining(connectionString: string): Db {
  const pool = createPool({ connectionString, max: 1 });
  pool.on('connect', (client) => {
    const query = client.query.bind(client);
    const explain = async (text: string, values: unknown[]): Promise<void> => {
      const { rows } = await query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `EXPLAIN (FORMAT JSON, COSTS OFF) ${text}`,
        values,
      );
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      for (const node of plan === undefined ? [] : nodesOf(plan)) {
        if (node['Node Type'] === 'Seq Scan') explained.seqScans.push(node['Relation Name'] ?? '?');
        if (node['Index Name'] !== undefined) explained.indexes.add(node['Index Name']);
      }
    };
    Object.assign(client, {
      query: async (text: string, values: unknown[] = []) => {
        if (/^\s*(SELECT|WITH)\b/i.test(text)) await explain(text, values);
        return query(text, values);
      },
    });
  });
  return createDb(pool);
}

async function planOf(ask: (db: Db) => Promise<unknown>): Promise<typeof explained> {
  explained = { seqScans: [], indexes: new Set() };
  await ask(watched);
  return explained;
}

beforeAll(async () => {
  base = await openEngineDatabase();
  admin = base.admin;
  watched = explaining(base.connectionString);
  for (const table of ['runs', 'run_events', 'dead_letters'])
    await admin.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
});
afterAll(async () => {
  await watched.destroy();
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
    const { seqScans, indexes: used } = await planOf(ask);
    expect(seqScans.filter((table) => table === 'runs' || table === 'dead_letters')).toEqual([]);
    expect([...used]).toEqual(expect.arrayContaining([...indexes]));
  });
});
