/** kill -9 of the process that refreshes a week, in the middle of it: another one goes on, and the rows are the same. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '@spine/finra-otc';
import { testRedisUrl, waitFor } from '@spine/testing';
import { countFile, openWeekly, WEEK, writeWeekOfTiers } from './finra-weekly-support.ts';
import type { WeeklyBed } from './finra-weekly-support.ts';
import { noLeftovers } from './workflow-support.ts';

const PROGRAM = fileURLToPath(new URL('../e2e/programs/finra-worker.ts', import.meta.url));
const LANE = 'finra-crash';
const TIER = 'NMS_TIER_2';

let bed: WeeklyBed;
let redisUrl: string;
let child: ChildProcess | undefined;
beforeAll(async () => {
  redisUrl = await testRedisUrl();
  bed = await openWeekly({ redisUrl, lane: LANE });
  writeWeekOfTiers(bed.folder);
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await bed.close();
});

async function startChild(): Promise<ChildProcess> {
  const started = fork(PROGRAM, [bed.databaseUrl, redisUrl, bed.folder, LANE], {
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: ['--conditions=@spine/source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [first] = (await Promise.race([once(started, 'message'), once(started, 'exit')])) as unknown[];
  if (first !== 'ready') throw new Error('the worker did not start');
  return started;
}

/** Hints that were lost, or that the dead worker had, come again after a while; nobody waits for that here. */
async function hintAgain(): Promise<void> {
  await bed.query(`UPDATE runs SET dispatch_after = now() WHERE status IN ('pending', 'queued')`);
}

/** What the tables say, whoever wrote it. */
async function digests(): Promise<Readonly<Record<string, string>>> {
  const of: Record<string, string> = {};
  for (const [table, order] of [
    ['finra_otc_normalized', 'symbol, mpid'],
    ['finra_otc_symbol_summary', 'symbol'],
    ['finra_otc_venue_share', 'rank'],
    ['finra_otc_rolling', 'symbol'],
    ['finra_otc_tier_share', 'rank'],
  ] as const) {
    of[table] = digestOf(await bed.query(`SELECT * FROM ${table} ORDER BY ${order}`));
  }
  return of;
}

describe('a worker that is killed while it aggregates', () => {
  it('leaves a run that another one ends, with every row once', { timeout: 120_000 }, async () => {
    child = await startChild();
    await bed.engine.capacity.refresh();
    const holding = await bed.admin.connect();
    let runId: string;
    try {
      // The calculation waits for whoever holds its partition.
      await holding.query('BEGIN');
      await holding.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
        `finra.otc_transparency:calc:symbol_summary:${TIER}:${WEEK}`,
      ]);
      runId = await bed.start({ week_ending: WEEK, tiers: [TIER] });
      await waitFor(
        async () => {
          await hintAgain();
          const rows = await bed.query(
            `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          );
          return rows.length > 0;
        },
        { timeoutMs: 40_000, intervalMs: 100, message: () => 'the aggregation waits' },
      );
      const dead = once(child, 'exit');
      child.kill('SIGKILL');
      await dead;
    } finally {
      await holding.query('COMMIT');
      holding.release();
    }
    await bed.begin();
    await waitFor(
      async () => {
        await hintAgain();
        const [run] = await bed.query<{ status: string }>('SELECT status FROM runs WHERE id = $1', [runId]);
        return run?.status === 'completed';
      },
      { timeoutMs: 40_000, intervalMs: 100, message: () => 'the other one ends the run' },
    );
    await noLeftovers(bed.admin);
    const steps = await bed.query(
      `SELECT r.name, r.status, r.crash_count AS lost FROM workflow_steps s JOIN runs r ON r.id = s.run_id
       WHERE s.workflow_run_id = $1 AND r.name ~ 'week$|ingest|rolling|share' ORDER BY s.unit, s.attempt`,
      [runId],
    );
    expect(steps.map((step) => JSON.stringify(step)).filter((step) => step.includes('"lost":1'))).toEqual([
      '{"name":"finra.otc_transparency.aggregate_week","status":"completed","lost":1}',
    ]);
    const file = countFile(bed.folder, TIER);
    const [stored] = await bed.query(
      `SELECT (SELECT count(*)::int FROM finra_otc_transparency_raw) AS rows,
         (SELECT sum(total_shares)::text FROM finra_otc_symbol_summary) AS shares,
         (SELECT count(*)::int FROM finra_otc_symbol_summary) AS symbols`,
    );
    expect(stored).toEqual({ rows: file.rows, shares: file.shares, symbols: file.symbols });
    // The same again, undisturbed.
    const before = await digests();
    await bed.refresh({ week_ending: WEEK, tiers: [TIER], force: true });
    expect(await digests()).toEqual(before);
  });
});
