/**
 * Reads and submits at the same time, with a table full of runs: what a person looks at has to come at once whatever the table
 * holds. Every submit that was accepted must have its row, and answers are looked into.
 */
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { cpuPerJob, cpuTimes, processTime } from '../cpu.ts';
import { openLab } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { VoidMeasurementError } from '../model.ts';
import type { Section } from '../model.ts';
import { writePast } from '../past.ts';
import { startApi } from '../processes/service.ts';
import type { Api } from '../processes/service.ts';
import { mixedLoad } from '../reads-load.ts';
import type { Ask, MixedResult } from '../reads-load.ts';
import { number } from '../report.ts';
import { percentile } from '../statistics.ts';
import type { Suite, SuiteContext } from './suite.ts';

const RUNS = 1_000_000;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 3;
/** Of the rate that was reached at full speed: what is left of the times when nobody waits for the processor. */
const CALM_SHARE = 0.4;
const SUBMIT = 'submit';
const BODY = JSON.stringify({ kind: 'task', name: 'echo', params: { message: 'hello' } });

const isList = (length: number) => (data: unknown) => Array.isArray(data) && data.length === length;
const isObject = (data: unknown): boolean => typeof data === 'object' && data !== null;

/** Some runs, from all of the past. */
async function someRuns(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM runs TABLESAMPLE SYSTEM (1) LIMIT 5000');
  return rows.map(({ id }) => id);
}

function asksOf(ids: readonly string[]): readonly Ask[] {
  let turn = 0;
  const id = (): string => {
    turn = (turn + 7_919) % ids.length;
    return ids[turn] ?? '';
  };
  const cursor = (): string => Buffer.from(`runs:${id()}`).toString('base64url');
  const get = (name: string, weight: number, path: () => string, isRight: Ask['isRight']): Ask => ({
    name,
    weight,
    method: 'GET',
    path: () => `/api/v1${path()}`,
    expect: 200,
    isRight,
  });
  return [
    {
      name: SUBMIT,
      weight: 30,
      method: 'POST',
      path: () => '/api/v1/runs',
      body: BODY,
      expect: 202,
      isRight: isObject,
    },
    get('run', 25, () => `/runs/${id()}`, isObject),
    get('events of a run', 10, () => `/runs/${id()}/events`, isList(3)),
    get('newest runs', 10, () => '/runs?limit=20', isList(20)),
    get('runs further back', 8, () => `/runs?limit=20&cursor=${cursor()}`, Array.isArray),
    get('failed runs', 5, () => '/runs?status=failed&limit=20', isList(20)),
    get('runs of a handler', 4, () => '/runs?name=noop&limit=20', Array.isArray),
    get('queues', 4, () => '/queues', Array.isArray),
    get('dead letters', 2, () => '/dlq?limit=20', Array.isArray),
    get('dashboard', 2, () => '/stats/dashboard', isObject),
  ];
}

interface Summary {
  readonly rate: number;
  readonly reads: readonly number[];
  readonly submits: readonly number[];
}

function summaryOf({ times, seconds }: MixedResult): Summary {
  const all = [...times];
  const reads = all.flatMap(([name, of]) => (name === SUBMIT ? [] : of));
  const submits = times.get(SUBMIT) ?? [];
  return { rate: (reads.length + submits.length) / seconds, reads, submits };
}

/** Microseconds of CPU that one request took. */
interface Cost {
  readonly api: number;
  readonly postgres: number;
  readonly load: number;
}

type Measured = MixedResult & { readonly cost: Cost };

async function measured(
  lab: Lab,
  api: Api,
  databaseUrl: string,
  ids: readonly string[],
  load: { seconds: number; rate?: number },
): Promise<Measured> {
  const pool = createPool({ connectionString: databaseUrl, role: null, max: 1 });
  const count = async (): Promise<number> => {
    const { rows } = await pool.query<{ n: number }>(`SELECT count(*) AS n FROM runs WHERE name = 'echo'`);
    return rows[0]?.n ?? Number.NaN;
  };
  try {
    await lab.admin.query('CHECKPOINT');
    const before = await count();
    const apiBefore = processTime(api.pid);
    const cpuBefore = cpuTimes(lab.postgres.pid, undefined);
    const result = await mixedLoad({ url: api.url, connections: CONNECTIONS, asks: asksOf(ids), ...load });
    const requests = [...result.times.values()].reduce((sum, of) => sum + of.length, 0);
    const { node, postgres } = cpuPerJob(cpuBefore, cpuTimes(lab.postgres.pid, undefined), requests);
    const cost = { api: (processTime(api.pid) - apiBefore) / requests, postgres, load: node };
    const accepted = result.times.get(SUBMIT)?.length ?? 0;
    const stored = (await count()) - before;
    if (stored !== accepted) {
      throw new VoidMeasurementError(`${accepted} submits were accepted, and there are ${stored} rows`);
    }
    return { ...result, cost };
  } finally {
    await pool.end();
  }
}

async function run({ options, say }: SuiteContext): Promise<Section> {
  const runs = Math.min(options.history, RUNS);
  const lab = await openLab();
  try {
    const databaseUrl = await lab.createDatabase('reads');
    const pool = createPool({ connectionString: databaseUrl, role: null, max: 1 });
    await writePast(pool, runs, (written) => {
      if (written % 200_000 === 0) say(`  ${number(written)} finished runs written`);
    });
    const ids = await someRuns(pool);
    await pool.end();
    const api = await startApi(databaseUrl, lab.redis.url);
    try {
      await measured(lab, api, databaseUrl, ids, { seconds: WARM_UP_SECONDS });
      const full = await measured(lab, api, databaseUrl, ids, { seconds: options.seconds });
      const fast = summaryOf(full);
      say(`  full speed: ${number(fast.rate)}/s, reads p99 ${number(percentile(fast.reads, 0.99))} ms`);
      const rate = Math.max(1, Math.round(fast.rate * CALM_SHARE));
      const calm = await measured(lab, api, databaseUrl, ids, {
        seconds: Math.ceil(options.seconds / 2),
        rate,
      });
      return sectionOf(runs, full, calm);
    } finally {
      await api.stop();
    }
  } finally {
    await lab.close();
  }
}

function costLine({ api, postgres, load }: Cost): string {
  return `api ${number(api)}, Postgres ${number(postgres)}, load generator ${number(load)}`;
}

function sectionOf(runs: number, full: Measured, calm: Measured): Section {
  const ms = (times: readonly number[], share: number): string => `${number(percentile(times, share))} ms`;
  const fast = summaryOf(full);
  const slow = summaryOf(calm);
  const row = (name: string, rate: number, at: readonly number[], then: readonly number[]) => [
    name,
    `${number(rate)}/s`,
    ms(at, 0.5),
    ms(at, 0.99),
    ms(then, 0.5),
    ms(then, 0.99),
  ];
  return {
    suite: 'reads',
    title: `Reads and submits with ${number(runs)} runs in the table`,
    tables: [
      {
        columns: ['over HTTP', 'at full speed', 'p50', 'p99', `p50 at ${number(slow.rate)}/s`, 'p99'],
        rows: [
          row('all reads', fast.reads.length / full.seconds, fast.reads, slow.reads),
          ...[...full.times].map(([name, of]) =>
            row(name, of.length / full.seconds, of, calm.times.get(name) ?? []),
          ),
        ],
      },
    ],
    figures: [
      { name: 'requests', value: fast.rate, unit: '/s' },
      {
        name: 'p99 of reads',
        value: percentile(fast.reads, 0.99),
        unit: ' ms',
        target: { at: 'most', value: 50 },
      },
      { name: 'p99 of submits', value: percentile(fast.submits, 0.99), unit: ' ms' },
      { name: 'p99 of reads at 40 % of that rate', value: percentile(slow.reads, 0.99), unit: ' ms' },
    ],
    notes: [
      `${CONNECTIONS} connections, each asking again as soon as it has its answer; three of ten requests are submits. The api, ` +
        'Postgres, Redis and the load generator share the machine. No worker runs: what is submitted waits.',
      `CPU of a request, in microseconds: at full speed ${costLine(full.cost)}; at the slower rate ${costLine(calm.cost)}.`,
    ],
  };
}

export const readsSuite: Suite = {
  name: 'reads',
  about: 'reads and submits together over HTTP, 64 connections, 1,000,000 runs in the table',
  run,
};
