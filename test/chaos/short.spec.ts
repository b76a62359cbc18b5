/** A short run of the harness under a fixed seed: one deployment, a few faults, every invariant. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bed } from './bed/bed.ts';
import { findings } from './cli/report.ts';
import { runFault } from './run-fault.ts';
import type { FaultPlan } from './run-fault.ts';
import type { FaultName } from './faults/index.ts';

const PLAN: FaultPlan = {
  seed: 20_261_121,
  repeats: 1,
  runs: 80,
  timing: { faultMs: 3_000, calmMs: 1_000, healMs: 60_000, length: 'short' },
};

const SHORT: readonly FaultName[] = [
  'redis-flush',
  'worker-kill',
  'api-kill-after-commit',
  'postgres-restart',
  'duplicate-hints',
];

let logDirectory: string;
let bed: Bed;

beforeAll(async () => {
  logDirectory = await mkdtemp(join(tmpdir(), 'spine-chaos-'));
  bed = await Bed.start({ workers: 2, logDirectory });
});

afterAll(async () => {
  await bed.stop();
  await rm(logDirectory, { recursive: true, force: true });
});

it.each(SHORT)('%s costs nothing but time', { timeout: 120_000 }, async (fault) => {
  const report = await runFault(bed, fault, PLAN, new AbortController().signal);
  if (report === 'interrupted') throw new Error('nobody interrupts it');
  expect(findings([report])).toBe('');
  expect(report.runs).toBe(PLAN.runs + bed.workers.length);
  expect(report.completed).toBeGreaterThan(0);
});
