/**
 * Deleting half of the past while runs are stored, claimed and settled at a steady pace: what that does to a claim.
 * Before, during and after are measured in turn on the same tables.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@spine/core';
import { claimRuns, createPool, insertRuns, settleRuns } from '@spine/database';
import type { Pool } from '@spine/database';
import { createRetention, newRun, taskSpec } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { openLab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { writePast } from '../past.ts';
import { number } from '../report.ts';
import { latencyOf, median } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** The past is spread over 30 days: this leaves half of it. */
const KEPT_DAYS = 15;

/** Runs of one round, and how often there is one: 800 runs a second, half of what two cores do at ease. */
const CHUNK = 16;
const EVERY_MS = 20;

const WORKER_ID = newId();

interface Rounds {
  /** Milliseconds of the claim of one round, its commit included. */
  readonly claims: number[];
  /** Of storing, claiming and settling together. */
  readonly whole: number[];
}

/** Stores, claims and settles one chunk; the time of the claim and of all three. */
async function round(pool: Pool): Promise<{ readonly claim: number; readonly whole: number }> {
  const runs = Array.from({ length: CHUNK }, () => newRun(taskSpec('noop')));
  const from = performance.now();
  await insertRuns(pool, runs, { ambiguous: false, hinted: true });
  const before = performance.now();
  const claimed = await claimRuns(
    pool,
    runs.map(({ runId }) => runId),
    { workerId: WORKER_ID, leaseMs: 60_000, handlers: ['task:noop'] },
  );
  const claim = performance.now() - before;
  const settled = await settleRuns(
    pool,
    claimed.map(({ runId, epoch }) => ({ runId, epoch, settlement: { type: 'completed', result: null } })),
    { source: 'worker:bench' },
  );
  const whole = performance.now() - from;
  if (settled.length !== CHUNK || settled.some((outcome) => outcome !== 'settled')) {
    throw new VoidMeasurementError(`${CHUNK} runs were stored, ${settled.length} claimed and settled`);
  }
  return { claim, whole };
}

/** Rounds at a steady pace until `isOver`. A late round is followed at once: a slow database meets a queue, as it would. */
async function measureUntil(pool: Pool, isOver: () => boolean): Promise<Rounds> {
  const rounds: Rounds = { claims: [], whole: [] };
  for (let next = performance.now(); !isOver(); next += EVERY_MS) {
    await sleep(Math.max(0, next - performance.now()));
    const { claim, whole } = await round(pool);
    rounds.claims.push(claim);
    rounds.whole.push(whole);
  }
  return rounds;
}

function forSeconds(seconds: number): () => boolean {
  const until = performance.now() + seconds * 1000;
  return () => performance.now() >= until;
}

/** Runs grow old while this runs: those that were at the beginning are counted, then and afterwards. */
async function countEndedBefore(admin: Pool, cutoff: Date): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(
    'SELECT count(*) AS n FROM runs WHERE completed_at < $1',
    [cutoff],
  );
  return rows[0]?.n ?? Number.NaN;
}

async function cutoffNow(admin: Pool): Promise<Date> {
  const { rows } = await admin.query<{ cutoff: Date }>(
    `SELECT date_trunc('milliseconds', now()) - ${KEPT_DAYS} * interval '1 day' AS cutoff`,
  );
  const [row] = rows;
  if (row === undefined) throw new VoidMeasurementError('the database does not tell the time');
  return row.cutoff;
}

async function deletedRuns(metrics: Metrics): Promise<number> {
  const { values } = await metrics.purged.get();
  return values.find(({ labels }) => labels.table === 'runs')?.value ?? 0;
}

async function measureDeleting(pool: Pool, old: number): Promise<{ rounds: Rounds; seconds: number }> {
  const metrics = new Metrics('bench');
  const retention = createRetention({ pool, logger: silentLogger(), metrics, days: KEPT_DAYS });
  let isDone = false;
  const from = performance.now();
  retention.start();
  const waiting = (async () => {
    while ((await deletedRuns(metrics)) < old) await sleep(50);
    isDone = true;
    return (performance.now() - from) / 1000;
  })();
  const rounds = await measureUntil(pool, () => isDone);
  const seconds = await waiting;
  await retention.stop();
  return { rounds, seconds };
}

function row(title: string, { claims, whole }: Rounds): readonly string[] {
  const { p50, p99 } = latencyOf(claims);
  const worst = Math.max(...claims);
  return [title, number(claims.length), ...[p50, p99, worst, median(whole)].map((ms) => `${number(ms)} ms`)];
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  // As the services connect for the hot path.
  const pool = createPool({ connectionString: lab.databaseUrl, genericPlans: true, max: 4 });
  try {
    await writePast(lab.admin, options.history, (written) => {
      if (written % 500_000 === 0) say(`  ${number(written)} finished runs written`);
    });
    const cutoff = await cutoffNow(lab.admin);
    const old = await countEndedBefore(lab.admin, cutoff);
    await measureUntil(pool, forSeconds(2));
    const before = await measureUntil(pool, forSeconds(options.seconds));
    const { rounds: during, seconds } = await measureDeleting(pool, old);
    const after = await measureUntil(pool, forSeconds(options.seconds));
    const left = await countEndedBefore(lab.admin, cutoff);
    if (left > 0) throw new VoidMeasurementError(`${left} of ${old} old runs were not deleted`);
    const [without, within] = [latencyOf(before.claims), latencyOf(during.claims)];
    return {
      suite: 'retention',
      title: `Claims while ${number(old)} old runs are deleted`,
      tables: [
        {
          columns: ['', 'rounds', 'claim p50', 'claim p99', 'slowest', 'store, claim and settle, p50'],
          rows: [row('before', before), row('while deleting', during), row('after', after)],
        },
      ],
      figures: [
        { name: 'deleted', value: old / seconds, unit: ' runs/s' },
        { name: 'time to delete them', value: seconds, unit: ' s' },
        { name: 'claim p50 while deleting, against before', value: within.p50 / without.p50, unit: 'x' },
        { name: 'claim p99 while deleting, against before', value: within.p99 / without.p99, unit: 'x' },
      ],
      notes: [
        `${number(options.history)} finished runs of 30 days with three events each; the retention service as the ` +
          `scheduler runs it, ${KEPT_DAYS} days. Beside it one round of ${CHUNK} runs every ${EVERY_MS} ms: stored, ` +
          'claimed, settled, each a durable commit. Every old run was gone afterwards.',
      ],
    };
  } finally {
    await pool.end();
    await lab.close();
  }
}

export const retentionSuite: Suite = {
  name: 'retention',
  about: 'claim latency while old runs are deleted (--history N, half of them old)',
  run,
};
