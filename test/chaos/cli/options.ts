/** What `npm run chaos` is asked to do. */
import { parseArgs } from 'node:util';
import { ConfigError } from '@spine/core';
import { FAULT_NAMES, isFaultName } from '../faults/index.ts';
import type { FaultName } from '../faults/index.ts';
import type { FaultPlan } from '../run-fault.ts';
import type { WorkflowPlan } from '../workflows/run-workflows.ts';

export interface ChaosOptions {
  readonly faults: readonly FaultName[];
  readonly plan: FaultPlan;
  /** Workflows in a storm in place of the faults one by one; null for the faults. */
  readonly workflows: WorkflowPlan | null;
  /** Where the report goes as JSON; null for nowhere. */
  readonly jsonFile: string | null;
}

export const USAGE = `usage: npm run chaos [-- options]

  --full           20 repeats and 4,000 runs a fault, unless said otherwise (about an hour and a half)
  --seed N         chooses victims, times and work; default by the clock, printed
  --faults a,b     only these; default all
  --repeats N      of each fault; default 2
  --runs N         plain runs of each fault, over all its repeats; default 400
  --workflows      in place of that: workflows while workers, schedulers, Redis and Postgres are killed at random; --runs
                   is how many, default 1000
  --json FILE      the report as JSON as well

faults: ${FAULT_NAMES.join(', ')}
`;

const MAX_SEED = 2 ** 32 - 1;

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new ConfigError(
    `--${name}: given ${JSON.stringify(text)}; allowed: a whole number from ${least} to ${most}`,
  );
}

function faultNames(text: string): FaultName[] {
  const names = text.split(',').map((name) => name.trim());
  return names.map((name) => {
    if (isFaultName(name)) return name;
    throw new ConfigError(
      `--faults: given ${JSON.stringify(name)}; allowed, separated by commas: ${FAULT_NAMES.join(', ')}`,
    );
  });
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        full: { type: 'boolean', default: false },
        seed: { type: 'string' },
        faults: { type: 'string' },
        repeats: { type: 'string' },
        runs: { type: 'string' },
        workflows: { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

const WORKFLOW_RUNS = 1_000;
/** A storm is over when its work is; a quarter of a second a run is more than it takes. */
const STORM_MS_A_RUN = 250;
const SHORTEST_STORM_MS = 20_000;
/** Longer than the longest pause between two hints of one run, twice. */
const STUCK_MS = 150_000;

function workflowPlan(seed: number, runs: number): WorkflowPlan {
  const stormMs = Math.max(SHORTEST_STORM_MS, runs * STORM_MS_A_RUN);
  return { seed, runs, stormMs, stuckMs: STUCK_MS };
}

/**
 * @param clock milliseconds, for the seed where none is given.
 * @throws ConfigError naming the option, what was given and what is allowed.
 */
export function chaosOptions(args: readonly string[], clock: number): ChaosOptions {
  const values = parse(args);
  const defaults = values.full ? { repeats: 20, runs: 4_000 } : { repeats: 2, runs: 400 };
  const seed = values.seed === undefined ? clock % MAX_SEED : wholeNumber('seed', values.seed, 0, MAX_SEED);
  const runs = values.runs === undefined ? null : wholeNumber('runs', values.runs, 1, 1_000_000);
  return {
    faults: values.faults === undefined ? FAULT_NAMES : faultNames(values.faults),
    workflows: values.workflows ? workflowPlan(seed, runs ?? WORKFLOW_RUNS) : null,
    jsonFile: values.json ?? null,
    plan: {
      seed,
      repeats:
        values.repeats === undefined ? defaults.repeats : wholeNumber('repeats', values.repeats, 1, 10_000),
      runs: runs ?? defaults.runs,
      timing: {
        faultMs: 5_000,
        calmMs: 5_000,
        healMs: 60_000,
        length: values.full ? 'full' : 'short',
      },
    },
  };
}
