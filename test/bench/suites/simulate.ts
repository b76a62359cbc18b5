/** What happens as workers grow to a thousand: the model of `simulation/`, with the measured costs. */
import type { Section, Table } from '../model.ts';
import { number } from '../report.ts';
import { MEASURED } from '../simulation/parameters.ts';
import type { Scenario } from '../simulation/parameters.ts';
import { simulate } from '../simulation/simulate.ts';
import type { Simulated } from '../simulation/simulate.ts';
import type { Suite, SuiteContext } from './suite.ts';

const WORKERS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] as const;

/** A database server of its own; its cores as fast as the one the costs were measured on. */
const COMMON = {
  seed: 1,
  slots: 50,
  submitters: 4,
  postgresCores: 8,
  seconds: 12,
  warmUpSeconds: 4,
  costs: MEASURED,
} as const;

const COLUMNS = [
  'workers',
  'offered',
  'done',
  'start p50',
  'start p99',
  'Postgres, runs',
  'Postgres, upkeep',
  'statements, runs',
  'upkeep',
  'Redis',
] as const;

const percent = (share: number): string => `${number(share * 100)} %`;

function row(workers: number, offered: number, result: Simulated): string[] {
  return [
    number(workers).replace('.00', '').replace('.0', ''),
    `${number(offered)}/s`,
    `${number(result.throughput)}/s`,
    `${number(result.startP50)} ms`,
    `${number(result.startP99)} ms`,
    percent(result.postgresRuns),
    percent(result.postgresUpkeep),
    `${number(result.statements)}/s`,
    `${number(result.upkeepStatements)}/s`,
    percent(result.redis),
  ];
}

function tableOf(say: (line: string) => void, scenarioOf: (workers: number) => Scenario): Table {
  return {
    columns: COLUMNS,
    rows: WORKERS.map((workers) => {
      const scenario = scenarioOf(workers);
      const result = simulate(scenario);
      say(`  ${workers} workers: ${number(result.throughput)}/s, start p99 ${number(result.startP99)} ms`);
      return row(workers, scenario.arrivals, result);
    }),
  };
}

function run({ say }: SuiteContext): Promise<Section> {
  // 80 % of what the workers' slots can hold.
  const growing = tableOf(say, (workers) => ({
    ...COMMON,
    workers,
    handlerMs: 1_000,
    arrivals: workers * COMMON.slots * 0.8,
  }));
  const constant = tableOf(say, (workers) => ({ ...COMMON, workers, handlerMs: 20, arrivals: 1_000 }));
  return Promise.resolve({
    suite: 'simulate',
    title: 'Simulated: one Postgres of 8 cores, one Redis, up to 1,000 workers of 50 slots',
    tables: [growing, constant],
    figures: [],
    notes: [
      'First table: handlers of about a second, load grows with the workers to 80 % of their slots. Second: handlers of about ' +
        '20 ms, always 1,000 runs a second. Four submitting processes; 8 s counted after 4 s of warm-up.',
    ],
  });
}

export const simulateSuite: Suite = {
  name: 'simulate',
  about: 'a model of up to 1,000 workers with the measured costs (no servers)',
  run,
};
