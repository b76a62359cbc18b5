/**
 * Real processes under real faults, and the proof that nothing was lost and nothing settled twice.
 *
 *   npm run chaos [-- --seed N --faults a,b --repeats N --runs N --full --json FILE]
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
import type { FaultName } from './faults/index.ts';
import { notCarriedOut } from './fault-report.ts';
import type { FaultReport } from './fault-report.ts';
import { runFault } from './run-fault.ts';

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const KEPT_LOGS = fileURLToPath(new URL('../../.spine/chaos', import.meta.url));

/** A fault on a bed of its own. Its logs are kept when something was wrong. */
async function onItsOwnBed(
  name: FaultName,
  options: ChaosOptions,
  signal: AbortSignal,
): Promise<FaultReport | 'interrupted'> {
  const { plan } = options;
  const logDirectory = await mkdtemp(join(tmpdir(), 'spine-chaos-'));
  let failed = true;
  try {
    const bed = await Bed.start({ logDirectory });
    try {
      const report = await runFault(bed, name, plan, signal, (done) => {
        if (process.stdout.isTTY) process.stdout.write(`\r  ${name} ${done}/${plan.repeats} `);
      });
      failed = report !== 'interrupted' && faultsFound(report) > 0;
      return report;
    } finally {
      await bed.stop();
    }
  } finally {
    if (failed) {
      const kept = join(KEPT_LOGS, `${name}-${plan.seed}`);
      await cp(logDirectory, kept, { recursive: true });
      say(`  logs of ${name}: ${kept}`);
    }
    await rm(logDirectory, { recursive: true, force: true });
  }
}

async function main(options: ChaosOptions, signal: AbortSignal): Promise<number> {
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
    const report = await onItsOwnBed(name, options, signal).catch((error: unknown) =>
      notCarriedOut(name, error),
    );
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
