/**
 * Handlers of 100 ms on two worker processes of 50 slots: how close to the ideal 1,000 a second, and whether chunks
 * leave one worker idle while the other is full. Which worker did what is read from the events.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newRunId } from '@spine/core';
import type { Pool } from '@spine/database';
import { taskSpec } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { openSpine } from '../contestants/spine.ts';
import { rateSince } from '../countdown.ts';
import { openLab } from '../lab.ts';
import type { Environment, Section } from '../model.ts';
import { number } from '../report.ts';
import { median, percentile } from '../statistics.ts';
import { assertAllCompleted, untilAllSettled } from '../verify.ts';
import type { Suite, SuiteContext } from './suite.ts';

const WORKERS = 2;
const SLOTS = 50;
const HANDLER_MS = 100;
const IDEAL = (WORKERS * SLOTS * 1000) / HANDLER_MS;
const BURSTS = 20;

async function startSlowWorker({ databaseUrl, redisUrl, prefix }: Environment): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('../processes/slow-worker.ts', import.meta.url));
  const child = fork(program, [databaseUrl, redisUrl, prefix, String(SLOTS), String(HANDLER_MS)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message', { signal: AbortSignal.timeout(30_000) });
  return child;
}

async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }),
  );
}

interface Shares {
  /** Of all runs, the share of the worker that did fewest; ideal 0.5. */
  readonly smallest: number;
  /** Of its slots, the share in use of the least busy worker in its worst full second. */
  readonly worstSecond: number;
}

async function sharesOf(pool: Pool, since: string): Promise<Shares> {
  const { rows } = await pool.query<{ source: string; second: number; done: number }>(
    `SELECT source, floor(extract(epoch FROM timestamp))::bigint AS second, count(*) AS done
     FROM run_events WHERE run_id >= $1::uuid AND event_type = 'completed' GROUP BY source, second`,
    [since],
  );
  const totals = new Map<string, number>();
  for (const { source, done } of rows) totals.set(source, (totals.get(source) ?? 0) + done);
  const all = [...totals.values()].reduce((sum, done) => sum + done, 0);
  const seconds = [...new Set(rows.map((row) => row.second))].sort((a, b) => a - b).slice(1, -1);
  const doneIn = new Map(rows.map((row) => [`${row.source} ${row.second}`, row.done]));
  const perSecond = (SLOTS * 1000) / HANDLER_MS;
  const busy = [...totals.keys()].flatMap((source) =>
    seconds.map((second) => (doneIn.get(`${source} ${second}`) ?? 0) / perSecond),
  );
  return {
    smallest: totals.size < WORKERS ? 0 : Math.min(...totals.values()) / all,
    worstSecond: busy.length === 0 ? Number.NaN : Math.min(...busy),
  };
}

/** Submits `count` runs at once; milliseconds until the last is settled. */
async function burst({ dispatcher, pool }: Engine, count: number): Promise<number> {
  const from = performance.now();
  await dispatcher.submitAll(
    Array.from({ length: count }, () => taskSpec('slow')),
    { allowUnknown: true },
  );
  await untilAllSettled(pool);
  return performance.now() - from;
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const lab = await openLab();
  const environment = lab.environment('slow');
  const bench = await openSpine(environment, () => undefined);
  const { engine } = bench;
  const children: ChildProcess[] = [];
  try {
    await environment.reset();
    for (let index = 0; index < WORKERS; index += 1) children.push(await startSlowWorker(environment));
    await engine.capacity.refresh();

    const jobs = options.seconds * IDEAL;
    let since = newRunId();
    const from = performance.now();
    await burst(engine, jobs);
    const rate = rateSince(from, jobs);
    await assertAllCompleted(engine.pool, since, jobs);
    const backlog = await sharesOf(engine.pool, since);
    say(
      `  backlog of ${number(jobs)}: ${number(rate)}/s, smallest share ${number(backlog.smallest * 100)} %`,
    );

    since = newRunId();
    const times: number[] = [];
    for (let index = 0; index < BURSTS; index += 1) {
      times.push(await burst(engine, WORKERS * SLOTS));
      await sleep(50);
    }
    await assertAllCompleted(engine.pool, since, BURSTS * WORKERS * SLOTS);
    const bursts = await sharesOf(engine.pool, since);
    say(`  bursts: median ${number(median(times))} ms`);
    return {
      suite: 'slow-handlers',
      title: `Handlers of ${HANDLER_MS} ms on ${WORKERS} workers of ${SLOTS} slots`,
      tables: [
        {
          columns: ['', 'result', 'ideal'],
          rows: [
            [`backlog of ${number(jobs)}`, `${number(rate)}/s`, `${number(IDEAL)}/s`],
            ['share of the worker that did fewest', `${number(backlog.smallest * 100)} %`, '50 %'],
            ['slots in use, worst second of a worker', `${number(backlog.worstSecond * 100)} %`, '100 %'],
            [`burst of ${WORKERS * SLOTS} runs, median`, `${number(median(times))} ms`, `${HANDLER_MS} ms`],
            [
              `burst of ${WORKERS * SLOTS} runs, p90`,
              `${number(percentile(times, 0.9))} ms`,
              `${HANDLER_MS} ms`,
            ],
            ['share of the worker that did fewest, bursts', `${number(bursts.smallest * 100)} %`, '50 %'],
          ],
        },
      ],
      figures: [
        {
          name: 'share of the ideal rate',
          value: (rate / IDEAL) * 100,
          unit: ' %',
          target: { at: 'least', value: 85 },
        },
        {
          name: 'share of the worker that did fewest',
          value: backlog.smallest * 100,
          unit: ' %',
          target: { at: 'least', value: 40 },
        },
      ],
      notes: ['Two worker processes beside the submitting one; every run was counted.'],
    };
  } finally {
    await stopAll(children);
    await bench.close();
    await lab.close();
  }
}

export const slowHandlersSuite: Suite = {
  name: 'slow-handlers',
  about: 'throughput and fairness of 100 ms handlers on two worker processes',
  run,
};
