/** `finra.weekly_refresh` on a worker with a driver, over a folder of weekly files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunRecord } from '@spine/database';
import { operationSpec, workflowSpec } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { AGGREGATE_WEEK, registerFinraOtc, registerFinraWorkflows, WEEKLY_REFRESH } from '@spine/finra-otc';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { realWeekName, unpackRealWeeks } from './real-weeks.ts';

export type Params = Readonly<Record<string, unknown>>;

export const WEEK = '2025-12-12';
const PUBLISHED = '20251215';

/** What FINRA calls the tiers in its files, with the number of rows that a file of the tier has here; 0 for all. */
const TIER_FILES = [
  { tier: 'NMS_TIER_1', spelling: 'NMS Tier 1', rows: 400 },
  { tier: 'NMS_TIER_2', spelling: 'NMS Tier 2', rows: 150 },
] as const;

export interface WeeklyBed extends Bed {
  readonly folder: string;
  /** Starts a worker and a driver. */
  begin(): Promise<void>;
  start(params: Params): Promise<string>;
  /** Runs the workflow to this status. */
  refresh(params: Params, status?: RunRecord['status']): Promise<RunRecord>;
  /** Runs an operation by hand; answers its result. */
  operation(name: string, params: Params): Promise<Params>;
  query<R extends object>(text: string, values?: unknown[]): Promise<R[]>;
  close(): Promise<void>;
}

/** Goes on with what the weekly workflow and a calculation have answered, whoever has done the work. */
export const AFTER_REFRESH: WorkflowInput = {
  name: 'test.after_refresh',
  steps: [
    { kind: 'workflow', name: 'refresh', workflow: WEEKLY_REFRESH },
    {
      kind: 'operation',
      name: 'aggregate',
      handler: AGGREGATE_WEEK,
      params: { week_ending: '{{ params.week_ending }}', tier: 'NMS_TIER_2' },
    },
  ],
  outputs: {
    rows: '{{ steps.refresh.output.tiers[0].steps.aggregate.rows }}',
    digest: '{{ steps.refresh.output.tier_share.output_digest }}',
    symbols: '{{ steps.aggregate.output.symbol_count }}',
    shares: '{{ steps.aggregate.output.total_shares }}',
  },
};

/** What the processes of these tests know. */
export function registerWeekly(registry: HandlerRegistry, folder: string): void {
  const options = { dataRoots: [folder] };
  const workflows = registerFinraWorkflows(new WorkflowRegistry(), options).registerWorkflow(AFTER_REFRESH);
  workflows.registerHandlers(registerFinraOtc(registry, options));
}

/** The real file of a week and, of its rows, files of the tiers that were published at other times. */
export function writeWeekOfTiers(folder: string): void {
  unpackRealWeeks(folder);
  const [header = '', ...rows] = linesOf(join(folder, realWeekName(PUBLISHED)));
  for (const { tier, spelling, rows: most } of TIER_FILES) {
    const lines = rows.slice(0, most).map((row) => row.replace(/^OTC\|/, `${spelling}|`));
    const name = `finra_otc_weekly_${tier.toLowerCase()}_${PUBLISHED}.csv`;
    writeFileSync(join(folder, name), `${[header, ...lines].join('\n')}\n`);
  }
}

export function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}

/** Shares, trades and symbols of a file by other means than the domain's: split at bars and summed as integers. */
export function countFile(folder: string, tier: string) {
  const rows = linesOf(join(folder, `finra_otc_weekly_${tier.toLowerCase()}_${PUBLISHED}.csv`))
    .slice(1)
    .map((line) => line.split('|'));
  const sum = (field: number): string =>
    String(rows.reduce((total, row) => total + BigInt(row[field]?.trim() ?? ''), 0n));
  return {
    rows: rows.length,
    shares: sum(5),
    trades: sum(6),
    symbols: new Set(rows.map((row) => row[1])).size,
  };
}

/** A Redis of several processes, and a lane of theirs. Default: hints in memory, the usual lane. */
export interface SharedQueue {
  readonly redisUrl: string;
  readonly lane: string;
}

export async function openWeekly(shared?: SharedQueue): Promise<WeeklyBed> {
  const { lane = 'default' } = shared ?? {};
  const folder = mkdtempSync(join(tmpdir(), 'spine-weekly-'));
  const bed = await openBed({
    queue: shared === undefined ? 'memory' : 'redis',
    register: (registry) => registerWeekly(registry, folder),
    ...(shared === undefined ? {} : { engine: { redisUrl: shared.redisUrl } }),
  });
  const drivers: WorkflowDriver[] = [];
  const start = (params: Params): Promise<string> =>
    bed.submit(workflowSpec(WEEKLY_REFRESH, { ...params }, { deadLetter: false, lane }));
  return {
    ...bed,
    folder,
    begin: async () => {
      const driver = new WorkflowDriver({ ...bed.engine, definitions: new DefinitionVersions(), pollMs: 50 });
      drivers.push(driver);
      driver.start();
      await bed.startWorker(lane, { onEnded: () => driver.wake() });
    },
    start,
    refresh: async (params, status = 'completed') => bed.reach(await start(params), status),
    operation: async (name, params) => {
      const runId = await bed.submit(operationSpec(name, { ...params }, { lane }));
      return (await bed.reach(runId, 'completed')).result as Params;
    },
    query: async <R extends object>(text: string, values: unknown[] = []) =>
      (await bed.admin.query<R>(text, values)).rows,
    close: async () => {
      await Promise.all(drivers.map((driver) => driver.stop()));
      await bed.close();
      rmSync(folder, { recursive: true });
    },
  };
}
