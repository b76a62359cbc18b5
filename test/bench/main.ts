/**
 * The paired benchmark: raw BullMQ (a job per run) and Spine, interleaved in one session on one Redis, Spine on a
 * durable Postgres. Prints medians and ratios; a repetition whose rows do not add up voids everything.
 *
 *   npm run bench [-- --jobs 20000 --repetitions 3 --concurrency 200]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createPool, runMigrations } from '@spine/database';
import { startEmbeddedPostgres } from '@spine/database/embedded';
import { startRedisServer } from '@spine/testing';
import { measureHttpSubmit } from './http.ts';
import type { BenchEnvironment, IdleLatency, Phases } from './model.ts';
import { measureRaw, measureRawIdle } from './raw-bullmq.ts';
import { measureSpine, measureSpineIdle } from './spine.ts';
import { median } from './statistics.ts';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '20000' },
    repetitions: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '200' },
    samples: { type: 'string', default: '300' },
  },
});
const jobs = Number(values.jobs);
const repetitions = Number(values.repetitions);
const concurrency = Number(values.concurrency);
const samples = Number(values.samples);

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const rate = (value: number): string => `${Math.round(value).toLocaleString('en-US')}/s`;

const dataDir = await mkdtemp(join(tmpdir(), 'spine-bench-'));
const postgres = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
const redis = await startRedisServer();
try {
  await runMigrations({ connectionString: postgres.connectionString });
  const admin = createPool({ connectionString: postgres.connectionString, role: null, max: 1 });
  const { rows } = await admin.query<{ durable: string }>(
    `SELECT current_setting('fsync') || '/' || current_setting('synchronous_commit') AS durable`,
  );
  say(
    `jobs ${jobs}, concurrency ${concurrency}, repetitions ${repetitions}, fsync/synchronous_commit ${rows[0]?.durable}`,
  );
  const environment = (prefix: string): BenchEnvironment => ({
    databaseUrl: postgres.connectionString,
    redisUrl: redis.url,
    prefix,
    resetTables: async () => {
      await admin.query('TRUNCATE runs, run_events, dead_letters');
      await admin.query('VACUUM ANALYZE runs, run_events');
      await admin.query('CHECKPOINT');
    },
    settle: () => sleep(3),
  });

  const raw: Phases[] = [];
  const spine: Phases[] = [];
  for (let round = 1; round <= repetitions; round += 1) {
    const rawRound = await measureRaw(environment(`raw${round}`), jobs, concurrency);
    const spineRound = await measureSpine(environment(`spine${round}`), jobs, concurrency);
    raw.push(rawRound);
    spine.push(spineRound);
    for (const phase of ['submit', 'drain', 'endToEnd'] as const) {
      say(
        `round ${round} ${phase.padEnd(9)} raw ${rate(rawRound[phase]).padStart(10)}  spine ${rate(spineRound[phase]).padStart(10)}  ${(spineRound[phase] / rawRound[phase]).toFixed(2)}x`,
      );
    }
  }
  const rawIdle: IdleLatency = await measureRawIdle(environment('rawidle'), samples);
  const spineIdle: IdleLatency = await measureSpineIdle(environment('spineidle'), samples);

  say('\nmedians');
  for (const phase of ['submit', 'drain', 'endToEnd'] as const) {
    const ratios = spine.map((one, index) => one[phase] / (raw[index]?.[phase] ?? Number.NaN));
    const rawMedian = median(raw.map((one) => one[phase]));
    const spineMedian = median(spine.map((one) => one[phase]));
    say(
      `${phase.padEnd(9)} raw ${rate(rawMedian).padStart(10)}  spine ${rate(spineMedian).padStart(10)}  paired ratio ${median(ratios).toFixed(2)}x`,
    );
  }
  for (const at of ['p50', 'p99'] as const) {
    say(
      `idle ${at}  raw ${rawIdle[at].toFixed(2)} ms  spine ${spineIdle[at].toFixed(2)} ms  ${(spineIdle[at] / rawIdle[at]).toFixed(2)}x`,
    );
  }
  const http = await measureHttpSubmit(
    environment('spine'),
    async () => (await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM runs')).rows[0]?.n ?? 0,
    { connections: 64, seconds: 10 },
  );
  say(`http submit, 64 connections  ${rate(http.rate)}  p50 ${http.p50} ms  p99 ${http.p99} ms`);
  await admin.end();
} finally {
  await redis.stop();
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
