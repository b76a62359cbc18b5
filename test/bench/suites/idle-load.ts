/** What an idle worker on Redis sends to Postgres: heartbeats and polls, counted by pg_stat_statements. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import type { Section } from '../model.ts';
import { startService } from '../processes/service.ts';
import { number } from '../report.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** Registration, the first poll and reconnects are over by then. */
const SETTLE_MS = 12_000;
/** Shorter than this, a heartbeat more or less would decide. */
const SHORTEST_SECONDS = 40;

interface StatementRow {
  readonly query: string;
  readonly calls: number;
}

/** As the superuser, whose own statements are not counted. */
async function openCounter(lab: Lab): Promise<Pool> {
  const url = new URL(lab.postgres.adminConnectionString);
  url.pathname = new URL(lab.databaseUrl).pathname;
  const counter = createPool({ connectionString: url.href, role: null, max: 1 });
  await counter.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  return counter;
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const seconds = Math.max(SHORTEST_SECONDS, options.seconds);
  const lab = await openLab({ settings: { shared_preload_libraries: 'pg_stat_statements' } });
  try {
    const counter = await openCounter(lab);
    const worker = await startService('worker', {
      SPINE_DATABASE_URL: lab.databaseUrl,
      SPINE_REDIS_URL: lab.redis.url,
      SPINE_LANES: 'default',
    });
    let rows: readonly StatementRow[];
    try {
      await sleep(SETTLE_MS);
      await counter.query('SELECT pg_stat_statements_reset()');
      say(`  counting for ${seconds} s`);
      await sleep(seconds * 1000);
      ({ rows } = await counter.query<StatementRow>(
        `SELECT s.query, sum(s.calls)::int AS calls FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
         WHERE r.rolname <> current_user GROUP BY s.query ORDER BY calls DESC`,
      ));
    } finally {
      await worker.stop();
      await counter.end();
    }
    const calls = rows.reduce((sum, row) => sum + row.calls, 0);
    return {
      suite: 'idle-load',
      title: 'Statements of an idle worker',
      tables: [
        {
          columns: ['statement', 'a second'],
          rows: rows.map((row) => [beginningOf(row.query), number(row.calls / seconds)]),
        },
      ],
      figures: [
        {
          name: 'statements an idle worker sends',
          value: calls / seconds,
          unit: '/s',
          target: { at: 'most', value: 2 },
        },
      ],
      notes: [
        `One worker process on Redis, one lane, nothing to do, ${seconds} s, counted by pg_stat_statements.`,
      ],
    };
  } finally {
    await lab.close();
  }
}

/** Enough of a statement to know it; a bar would end the table's cell. */
function beginningOf(query: string): string {
  return query.replace(/\s+/g, ' ').replaceAll('|', '/').slice(0, 80);
}

export const idleLoadSuite: Suite = {
  name: 'idle-load',
  about: 'statements a second that an idle worker on Redis sends to Postgres',
  run,
};
