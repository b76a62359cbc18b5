/** Ten thousand workflows that sleep: what they cost while they do, and how long it takes to wake all of them at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import type { WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { Countdown, rateSince } from '../countdown.ts';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { number } from '../report.ts';
import { median, range } from '../statistics.ts';
import { openWorkflowBench, plainSpec } from '../workflows/bed.ts';
import type { WorkflowBench, WorkerWithDriver } from '../workflows/bed.ts';
import type { Suite, SuiteContext } from './suite.ts';

/** Sleepers, and plain runs of a repetition, are a half of the jobs: 10,000 by default. */
const SHARE = 2;
const WARM_UP = 500;
/** What sleepers may take from plain runs. */
const TARGET = 0.9;
/** Hand-overs and first looks are over by then. */
const SETTLE_MS = 6_000;

const SLEEPER: WorkflowInput = {
  name: 'bench.sleeper',
  steps: [
    { kind: 'wait', name: 'hour', wait: { durationSeconds: 3_600 } },
    { kind: 'lambda', name: 'last', handler: 'work', params: { n: '{{ params.n }}' } },
  ],
  outputs: { n: '{{ steps.last.output.n }}' },
};

/** An engine with a worker, on a database of its own. */
interface Side {
  readonly bench: WorkflowBench;
  readonly running: WorkerWithDriver;
  readonly admin: Pool;
  readonly calls: Countdown;
}

async function openSide(lab: Lab, name: string, slots: number): Promise<Side> {
  const databaseUrl = await lab.createDatabase(name);
  const calls = new Countdown();
  const bench = await openWorkflowBench({ databaseUrl, redis: lab.redis }, name, {
    onCall: () => calls.tick(),
    workflows: [SLEEPER],
  });
  const running = await bench.startWorker(slots);
  return { bench, running, admin: createPool({ connectionString: databaseUrl, role: null, max: 2 }), calls };
}

async function count(admin: Pool, condition: string): Promise<number> {
  const { rows } = await admin.query<{ n: number }>(`SELECT count(*) AS n FROM ${condition}`);
  return rows[0]?.n ?? 0;
}

const PLAIN_LEFT = `runs WHERE kind = 'task' AND status IN ('pending', 'queued', 'running')`;

/** Plain runs a second, from the first submit to the last settlement. */
async function plainRate({ bench, admin, calls }: Side, runs: number): Promise<number> {
  calls.start(runs);
  const from = performance.now();
  await bench.engine.dispatcher.submitAll(Array.from({ length: runs }, plainSpec));
  await calls.reached;
  while ((await count(admin, PLAIN_LEFT)) > 0);
  return rateSince(from, runs);
}

async function fallAsleep({ bench, running, admin }: Side, sleepers: number): Promise<number> {
  const from = performance.now();
  await bench.engine.dispatcher.submitAll(
    Array.from({ length: sleepers }, (_, n) => workflowSpec(SLEEPER.name, { n })),
  );
  await waitFor(async () => (await count(admin, 'workflow_inbox WHERE timer IS NOT NULL')) === sleepers, {
    timeoutMs: 600_000,
    intervalMs: 100,
    message: `${sleepers} workflows to sleep`,
  });
  const seconds = (performance.now() - from) / 1_000;
  await waitFor(() => running.worker.running === 0, { message: 'no slot to be used' });
  return seconds;
}

/** Statements a second while nothing happens, as Postgres counts them, and those of them that look who is due. */
async function statementsOf(counter: Pool, seconds: number) {
  await sleep(SETTLE_MS);
  await counter.query('SELECT pg_stat_statements_reset()');
  await sleep(seconds * 1_000);
  const { rows } = await counter.query<{ all: number; looks: number }>(
    `SELECT COALESCE(sum(s.calls), 0)::int AS all,
       COALESCE(sum(s.calls) FILTER (WHERE s.query LIKE '%workflow_inbox%'), 0)::int AS looks
     FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid JOIN pg_database d ON d.oid = s.dbid
     WHERE r.rolname <> current_user AND d.datname = current_database()`,
  );
  return { all: (rows[0]?.all ?? 0) / seconds, looks: (rows[0]?.looks ?? 0) / seconds };
}

async function wakeAll({ admin }: Side, sleepers: number): Promise<number> {
  const from = performance.now();
  await admin.query(`UPDATE workflow_inbox SET due_at = now() WHERE timer IS NOT NULL`);
  await admin.query(`SELECT pg_notify('spine_control', '{"type":"workflows"}')`);
  await waitFor(
    async () => (await count(admin, `runs WHERE kind = 'workflow' AND status <> 'completed'`)) === 0,
    { timeoutMs: 600_000, intervalMs: 100, message: 'everybody to be awake and done' },
  );
  const seconds = (performance.now() - from) / 1_000;
  const steps = await count(admin, `runs WHERE kind = 'step' AND status = 'completed'`);
  const told = await count(admin, 'workflow_inbox');
  if (steps !== sleepers || told !== 0) {
    throw new VoidMeasurementError(
      `${sleepers} workflows were awake, ${steps} steps completed, ${told} things left to be told`,
    );
  }
  return seconds;
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const sleepers = Math.max(1, Math.ceil(options.jobs / SHARE));
  const slots = options.slots[options.slots.length >> 1] ?? 200;
  const lab = await openLab({ settings: { shared_preload_libraries: 'pg_stat_statements' } });
  const sides: Side[] = [];
  let counter: Pool | null = null;
  try {
    const empty = await openSide(lab, 'bench_empty', slots);
    sides.push(empty);
    const asleep = await openSide(lab, 'bench_asleep', slots);
    sides.push(asleep);
    for (const side of sides) await plainRate(side, WARM_UP);
    const fell = await fallAsleep(asleep, sleepers);
    say(`  ${number(sleepers)} asleep after ${number(fell)} s`);
    const rates: { empty: number; asleep: number }[] = [];
    for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
      const first = repetition % 2 === 0;
      const before = first ? await plainRate(empty, sleepers) : 0;
      const beside = await plainRate(asleep, sleepers);
      rates.push({ empty: first ? before : await plainRate(empty, sleepers), asleep: beside });
      say(`  ${repetition + 1}  ${JSON.stringify(rates.at(-1))}`);
    }
    const url = new URL(lab.postgres.adminConnectionString);
    url.pathname = '/bench_asleep';
    // As the superuser, whose own statements are not counted.
    counter = createPool({ connectionString: url.href, role: null, max: 1 });
    await counter.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
    const { all, looks } = await statementsOf(counter, options.seconds);
    const held = await count(
      asleep.admin,
      `runs r JOIN workers w ON w.id = r.lease_owner WHERE r.status = 'running'`,
    );
    const used = asleep.running.worker.running + held;
    const woke = await wakeAll(asleep, sleepers);
    say(`  all awake and done after ${number(woke)} s`);
    const ratios = rates.map((rate) => rate.asleep / rate.empty);
    return {
      suite: 'sleepers',
      title: `${number(sleepers)} workflows asleep`,
      tables: [
        {
          columns: ['', 'plain runs, median', 'range'],
          rows: (['empty', 'asleep'] as const).map((of) => [
            of === 'empty' ? 'beside nothing' : `beside ${number(sleepers)} sleepers`,
            `${number(median(rates.map((rate) => rate[of])))}/s`,
            range(rates.map((rate) => rate[of]))
              .map(number)
              .join(' - '),
          ]),
        },
      ],
      figures: [
        {
          name: 'slots of workers that sleepers take',
          value: used,
          unit: '',
          target: { at: 'most', value: 0 },
        },
        {
          name: 'plain runs beside sleepers against beside nothing',
          value: median(ratios),
          unit: 'x',
          target: { at: 'least', value: TARGET },
        },
        { name: 'statements while all sleep', value: all, unit: '/s' },
        { name: 'of them about workflows', value: looks, unit: '/s' },
        { name: 'workflows started and asleep', value: sleepers / fell, unit: '/s' },
        { name: `waking ${number(sleepers)} at once, until the last one has ended`, value: woke, unit: ' s' },
      ],
      notes: [
        `Each waits an hour and then calls a function. ${number(sleepers)} plain runs a repetition, ${options.repetitions} repetitions in turns on ` +
          `two databases of one server, ${slots} slots each; statements over ${options.seconds} s. Their hour was ended by moving what is due.`,
      ],
    };
  } finally {
    await counter?.end();
    for (const { bench, admin } of sides) {
      await bench.close();
      await admin.end();
    }
    await lab.close();
  }
}

export const sleepersSuite: Suite = {
  name: 'sleepers',
  about: '10,000 workflows that sleep: slots, plain runs beside them, statements, waking all at once',
  run,
};
