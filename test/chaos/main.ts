/**
 * Real processes under real faults, and the proof that nothing was lost and nothing settled twice.
 *
 *   npm run chaos [-- --seed N --faults a,b --repeats N --runs N --full --json FILE]
 *   npm run chaos -- --workflows [--runs N --seed N --json FILE]
 *
 * Exit code 0 when every invariant held, 1 when one did not, 2 for options it does not know.
 */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@spine/core';
import { reapAbandonedServers } from '@spine/testing';
import { Bed } from './bed/bed.ts';
import { chaosOptions, USAGE } from './cli/options.ts';
import type { ChaosOptions } from './cli/options.ts';
import { effects, faultsFound, findings, reportJson, table } from './cli/report.ts';
import { faultOf } from './faults/index.ts';
import { notCarriedOut } from './fault-report.ts';
import type { FaultReport } from './fault-report.ts';
import { runFault } from './run-fault.ts';
import { createMarks } from './workflows/invariants.ts';
import { isBroken, workflowJson, workflowText } from './workflows/report.ts';
import { runWorkflows } from './workflows/run-workflows.ts';
import type { WorkflowPlan, WorkflowReport } from './workflows/run-workflows.ts';

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const KEPT_LOGS = fileURLToPath(new URL('../../.spine/chaos', import.meta.url));

/** Something on a bed of its own, whose logs are kept when something was wrong. */
async function onItsOwnBed<Report>(
  name: string,
  seed: number,
  isWrong: (report: Report) => boolean,
  run: (bed: Bed) => Promise<Report | 'interrupted'>,
): Promise<Report | 'interrupted'> {
  const logDirectory = await mkdtemp(join(tmpdir(), 'spine-chaos-'));
  let failed = true;
  try {
    const bed = await Bed.start({ logDirectory });
    try {
      const report = await run(bed);
      failed = report !== 'interrupted' && isWrong(report);
      return report;
    } finally {
      await bed.stop();
    }
  } finally {
    if (failed) {
      const kept = join(KEPT_LOGS, `${name}-${seed}`);
      await cp(logDirectory, kept, { recursive: true });
      say(`  logs of ${name}: ${kept}`);
    }
    await rm(logDirectory, { recursive: true, force: true });
  }
}

/** A line of progress that the next one overwrites. */
function saying(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r  ${line} `);
}

async function workflows(plan: WorkflowPlan, jsonFile: string | null, signal: AbortSignal): Promise<number> {
  say(`seed ${plan.seed}, ${plan.runs} workflows in a storm of at most ${plan.stormMs / 1_000} s`);
  const report = await onItsOwnBed<WorkflowReport>('workflows', plan.seed, isBroken, async (bed) => {
    await createMarks(bed.admin);
    return runWorkflows(bed, plan, signal, saying);
  });
  if (report === 'interrupted') {
    say('interrupted: nothing is proven');
    return 130;
  }
  say(workflowText(report));
  if (jsonFile !== null) await writeFile(jsonFile, workflowJson(report));
  return isBroken(report) ? 1 : 0;
}

async function main(options: ChaosOptions, signal: AbortSignal): Promise<number> {
  if (options.workflows !== null) return workflows(options.workflows, options.jsonFile, signal);
  const { plan, faults } = options;
  say(
    `seed ${plan.seed}, ${faults.length} faults, ${plan.repeats} repeats and ${plan.runs} runs each, ` +
      `${plan.timing.faultMs / 1_000} s fault and ${plan.timing.calmMs / 1_000} s calm in turn`,
  );
  const reports: FaultReport[] = [];
  for (const name of faults) {
    if (signal.aborted) break;
    const impossible = faultOf(name).impossible?.() ?? null;
    if (impossible !== null) {
      say(`– ${name}: not run on this machine: ${impossible}`);
      continue;
    }
    const report = await onItsOwnBed<FaultReport>(
      name,
      plan.seed,
      (each) => faultsFound(each) > 0,
      (bed) => runFault(bed, name, plan, signal, (done) => saying(`${name} ${done}/${plan.repeats}`)),
    ).catch((error: unknown) => notCarriedOut(name, error));
    if (report === 'interrupted') break;
    reports.push(report);
    say(
      `${faultsFound(report) === 0 ? '✓' : '✗'} ${effects(report)}; ${report.runs} runs, ${Math.round(report.seconds)} s`,
    );
    if (options.jsonFile !== null) await writeFile(options.jsonFile, reportJson(plan.seed, reports));
  }
  say(`\n${table(reports)}\n`);
  const wrong = findings(reports);
  if (wrong !== '') say(wrong);
  if (signal.aborted) {
    say('interrupted: what is missing is not proven');
    return 130;
  }
  return wrong === '' ? 0 : 1;
}

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
// The launcher is gone, however it went.
process.on('disconnect', () => stopping.abort());

try {
  const options = chaosOptions(process.argv.slice(2), Date.now());
  await reapAbandonedServers();
  process.exitCode = await main(options, stopping.signal);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
if (process.connected) process.disconnect();
