/** Microseconds of CPU that a run costs: in node, in Postgres, in Redis. What capacity is computed from. */
import { newRunId } from '@spine/core';
import { taskSpec } from '@spine/execution';
import { announceWorker, openSpine } from '../contestants/spine.ts';
import { Countdown } from '../countdown.ts';
import { cpuPerJob, cpuTimes } from '../cpu.ts';
import type { CpuTimes } from '../cpu.ts';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { median } from '../statistics.ts';
import { assertAllCompleted, untilAllSettled } from '../verify.ts';
import type { Suite, SuiteContext } from './suite.ts';

interface Cost extends CpuTimes {
  /** Bytes of write-ahead log. */
  readonly log: number;
}

type Meter = (work: () => Promise<void>) => Promise<Cost>;

function meterOf(lab: Lab, jobs: number): Meter {
  const written = async (): Promise<number> => {
    const { rows } = await lab.admin.query<{ bytes: number }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes`,
    );
    return rows[0]?.bytes ?? Number.NaN;
  };
  return async (work) => {
    const bytes = await written();
    const before = cpuTimes(lab.postgres.pid, lab.redis.pid);
    await work();
    const after = cpuTimes(lab.postgres.pid, lab.redis.pid);
    return { ...cpuPerJob(before, after, jobs), log: ((await written()) - bytes) / jobs };
  };
}

async function measureOnce(
  lab: Lab,
  prefix: string,
  jobs: number,
  slots: number,
): Promise<readonly [Cost, Cost]> {
  const environment = lab.environment(prefix);
  await environment.reset();
  const handled = new Countdown();
  const bench = await openSpine(environment, () => handled.tick());
  const { engine } = bench;
  const meter = meterOf(lab, jobs);
  const specs = Array.from({ length: jobs }, () => taskSpec('noop'));
  try {
    const unannounce = await announceWorker(bench, slots);
    const since = newRunId();
    const submit = await meter(async () => {
      await engine.dispatcher.submitAll(specs);
      await engine.dispatcher.drain();
    });
    await unannounce();
    handled.start(jobs);
    const drain = await meter(async () => {
      const worker = await bench.startWorker(slots);
      await handled.reached;
      await untilAllSettled(engine.pool);
      await worker.stop();
    });
    await assertAllCompleted(engine.pool, since, jobs);
    return [submit, drain];
  } finally {
    await bench.close();
  }
}

const COLUMNS = ['node', 'postgres', 'redis', 'log'] as const satisfies readonly (keyof Cost)[];

function medianCost(costs: readonly Cost[]): readonly number[] {
  return COLUMNS.map((column) => median(costs.map((cost) => cost[column])));
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const { jobs, repetitions } = options;
  const slots = options.slots[options.slots.length >> 1] ?? 500;
  const lab = await openLab();
  const submits: Cost[] = [];
  const drains: Cost[] = [];
  try {
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      const [submit, drain] = await measureOnce(lab, `cost${repetition}`, jobs, slots);
      submits.push(submit);
      drains.push(drain);
      say(`  ${repetition + 1}  submit ${costLine(submit)} | claim and settle ${costLine(drain)}`);
    }
  } finally {
    await lab.close();
  }
  const row = (name: string, costs: readonly Cost[]): string[] => {
    const [node, postgres, redis, log] = medianCost(costs).map(number);
    return [name, `${node} us`, `${postgres} us`, `${redis} us`, `${log} B`];
  };
  return {
    suite: 'cost',
    title: 'What a run costs',
    tables: [
      {
        columns: ['CPU a run', 'node', 'Postgres', 'Redis', 'log written'],
        rows: [row('submit', submits), row('claim and settle', drains)],
      },
    ],
    figures: [],
    notes: [
      `${number(jobs)} runs of a task that does nothing, ${slots} slots, medians of ${repetitions}. A run writes a row and three ` +
        'events; the worker process and the submitting one are one here.',
    ],
  };
}

function costLine({ node, postgres, redis, log }: Cost): string {
  return `node ${number(node)} Postgres ${number(postgres)} Redis ${number(redis)} us, ${number(log)} B`;
}

export const costSuite: Suite = {
  name: 'cost',
  about: 'CPU time and log volume of a run, by process',
  run,
};
