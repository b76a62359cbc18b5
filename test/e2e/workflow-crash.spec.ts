/**
 * kill -9 of the processes that run workflows and advance them, again and again: every run ends as if nothing had happened,
 * and no step has settled twice.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { createEngine, createReaper, createRelay, workflowSpec } from '@spine/execution';
import type { Engine, Ticker } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { createTestDatabase, testRedisUrl, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { inconsistentRuns } from '../integration/engine-support.ts';
import { answerOf, CRASH_LANE, crashRegistry } from '../integration/workflow-crash-support.ts';
import { noLeftovers } from '../integration/workflow-support.ts';

const PROGRAM = fileURLToPath(new URL('programs/workflow-worker.ts', import.meta.url));
const RUNS = 20;
/** All workers but one. */
const KILLS = 3;

let database: TestDatabase;
let admin: Pool;
let engine: Engine;
let redisUrl: string;
let services: Ticker[] = [];
const workers: ChildProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  redisUrl = await testRedisUrl();
  admin = createPool({ connectionString: database.connectionString, role: null, max: 3 });
  engine = await createEngine({
    databaseUrl: database.connectionString,
    redisUrl,
    registry: crashRegistry(0),
    logger: silentLogger(),
    metrics: new Metrics('test'),
    service: 'workflow-test',
  });
  services = [
    createRelay({ ...engine, lanes: [], relayMs: 100 }),
    createReaper({ ...engine, lanes: [], reaperMs: 100 }),
  ];
  for (const service of services) service.start();
});
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await Promise.all(services.map((service) => service.stop()));
  await engine.close();
  await admin.end();
  await database.drop();
});

async function startWorker(): Promise<void> {
  const output: string[] = [];
  const worker = fork(PROGRAM, [database.connectionString, redisUrl], {
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: ['--conditions=@spine/source'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  worker.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  workers.push(worker);
  const first = await Promise.race([once(worker, 'message'), once(worker, 'exit')]);
  if (first[0] !== 'ready') throw new Error(`a worker did not start: ${output.join('')}`);
}

async function killOne(): Promise<void> {
  const victim = workers.splice(Math.floor(Math.random() * workers.length), 1)[0];
  if (victim === undefined) throw new Error('no worker');
  const dead = once(victim, 'exit');
  victim.kill('SIGKILL');
  await dead;
}

/** The hints that a killed worker had are sent again after 15 seconds; nobody waits for that here. */
async function hintAgain(): Promise<void> {
  await admin.query(`UPDATE runs SET dispatch_after = now() WHERE status IN ('pending', 'queued')`);
}

async function endedSteps(): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM runs WHERE kind = 'step' AND completed_at IS NOT NULL`,
  );
  return rows[0]?.n ?? 0;
}

describe('processes that run workflows and are killed', () => {
  it('lose no run, and settle no step twice', { timeout: 90_000 }, async () => {
    await Promise.all(Array.from({ length: KILLS + 1 }, startWorker));
    await engine.capacity.refresh();
    const runIds: string[] = [];
    for (let n = 0; n < RUNS; n += 1) {
      const outcome = await engine.dispatcher.submit(
        workflowSpec('test.seven_steps', { n }, { lane: CRASH_LANE, retryDelaySeconds: 0 }),
      );
      if (outcome.type !== 'accepted') throw new Error(outcome.type);
      runIds.push(outcome.runId);
    }
    const all = RUNS * 11;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      // Spread over the whole of the work.
      await waitFor(async () => (await endedSteps()) >= (all * kill) / (KILLS + 2), { timeoutMs: 40_000 });
      await killOne();
      await hintAgain();
    }
    await waitFor(
      async () => {
        await hintAgain();
        const { rows } = await admin.query('SELECT 1 FROM runs WHERE completed_at IS NULL LIMIT 1');
        return rows.length === 0;
      },
      { timeoutMs: 40_000, intervalMs: 200 },
    );
    for (const [n, runId] of runIds.entries()) {
      const run = await engine.dispatcher.wait(runId, { timeoutMs: 40_000 });
      expect(run).toMatchObject({ status: 'completed', result: answerOf(n) });
    }
    await noLeftovers(admin);
    expect(await inconsistentRuns(admin)).toEqual([]);
    const { rows: units } = await admin.query<{ unit: string; runs: number; settled: number }>(`
      SELECT s.unit, count(*)::int AS runs, count(*) FILTER (WHERE r.status = 'completed')::int AS settled
      FROM workflow_steps s JOIN runs r ON r.id = s.run_id GROUP BY s.workflow_run_id, s.unit`);
    // Of each run: five lambdas, five items, one child and that child's one step.
    expect(units).toHaveLength(RUNS * 12);
    expect(units.filter(({ runs, settled }) => runs !== 1 || settled !== 1)).toEqual([]);
    const { rows: lost } = await admin.query('SELECT 1 FROM runs WHERE crash_count > 0');
    // Otherwise nothing was killed in the middle of its work.
    expect(lost.length).toBeGreaterThan(0);
  });
});
