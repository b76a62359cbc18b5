/**
 * One fault from its first repeat to its verdict: fault and calm in turn under load, then time to heal, then the
 * invariants.
 *
 * 1. Work arrives during faults and calm alike. 2. The heal ends early once everything is terminal, and is bounded.
 * 3. The verdict is SQL over what the database, the client and the handlers have written down.
 */
import { performance } from 'node:perf_hooks';
import type { Bed } from './bed/bed.ts';
import { recordEvidence } from './check/evidence.ts';
import { countUnfinished, findViolations } from './check/invariants.ts';
import type { Violation } from './check/invariants.ts';
import type { Fault } from './faults/fault.ts';
import { faultOf } from './faults/index.ts';
import type { FaultName } from './faults/index.ts';
import { planSpecial, planWork } from './load/plan.ts';
import type { Submission } from './load/plan.ts';
import { pause, until } from './pause.ts';
import { Random } from './random.ts';
import { readJournal } from './worker/journal.ts';

export interface Timing {
  /** Unless the fault needs another one. */
  readonly faultMs: number;
  readonly calmMs: number;
  /** At the most. */
  readonly healMs: number;
  /** Which of a fault's own lengths is used. */
  readonly length: 'full' | 'short';
}

export interface FaultPlan {
  readonly seed: number;
  readonly repeats: number;
  /** Plain runs over all repeats. */
  readonly runs: number;
  readonly timing: Timing;
}

/** What one fault came to. Counts are over the runs of this fault. */
export interface FaultReport {
  readonly fault: FaultName;
  readonly repeats: number;
  readonly runs: number;
  readonly completed: number;
  readonly deadLetters: number;
  /** Of them, those that did nothing wrong: they lost three workers in a row by the fault. */
  readonly unlucky: number;
  /** Process starts beyond the first of each. */
  readonly restarts: number;
  readonly leasesLost: number;
  readonly handedBack: number;
  /** Writes the engine refused because their epoch was not current, as the workers counted them. */
  readonly fencedWrites: number;
  /** Requests the client had to repeat. */
  readonly repeatedRequests: number;
  readonly healSeconds: number;
  readonly seconds: number;
  /** What the fault did, by name. */
  readonly effects: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /** What is wrong and no SQL sees. */
  readonly problems: readonly string[];
}

const WAIT_FOR_SERVICES_MS = 30_000;

/** Runs every repeat of a fault on a bed and judges it. Stops early at the signal, and judges what there is. */
export async function runFault(
  bed: Bed,
  name: FaultName,
  plan: FaultPlan,
  signal: AbortSignal,
  onRepeat: (done: number) => void = () => undefined,
): Promise<FaultReport> {
  const fault = faultOf(name);
  const started = performance.now();
  const before = totals(bed);
  const giveUp = new AbortController();
  const loads: Promise<void>[] = [];
  await fault.prepare?.(bed);
  for (let repeat = 1; repeat <= plan.repeats && !signal.aborted; repeat += 1) {
    const submissions = submissionsOf(name, fault, plan, repeat);
    loads.push(bed.load.run(submissions, giveUp.signal));
    await breakAndMend(bed, fault, plan, Random.for(plan.seed, name, repeat, 'fault'), signal);
    await pause(plan.timing.calmMs, signal);
    onRepeat(repeat);
  }
  const healing = performance.now();
  loads.push(bed.load.run(probes(bed, name, plan), giveUp.signal));
  await heal(bed, loads, giveUp, plan.timing.healMs, signal);
  const healSeconds = (performance.now() - healing) / 1_000;
  await fault.restore?.(bed);
  if (bed.effects.size === 0 && !signal.aborted) bed.problem(`${name} had no effect`);
  const verdict = await judge(bed, fault, name);
  const after = totals(bed);
  return {
    fault: name,
    repeats: plan.repeats,
    ...verdict,
    restarts: after.restarts - before.restarts,
    fencedWrites: after.fencedWrites - before.fencedWrites,
    repeatedRequests: after.repeatedRequests - before.repeatedRequests,
    healSeconds,
    seconds: (performance.now() - started) / 1_000,
    effects: Object.fromEntries(bed.effects),
    problems: [...bed.problems],
  };
}

function faultMs(fault: Fault, timing: Timing): number {
  return fault.seconds === undefined ? timing.faultMs : fault.seconds[timing.length] * 1_000;
}

function submissionsOf(name: FaultName, fault: Fault, plan: FaultPlan, repeat: number): Submission[] {
  const random = Random.for(plan.seed, name, repeat, 'load');
  const length = faultMs(fault, plan.timing);
  const share =
    Math.floor((plan.runs * repeat) / plan.repeats) - Math.floor((plan.runs * (repeat - 1)) / plan.repeats);
  const window = {
    prefix: `${plan.seed}/${name}/${repeat}`,
    correlationId: name,
    runs: share,
    lengthMs: length + plan.timing.calmMs / 2,
    now: new Date(),
  };
  return [...planWork(random, window), ...planSpecial(fault.specialRuns?.(random) ?? [], window)];
}

/** A run for each worker alone: everything terminal would also be had with one of them out of order. */
function probes(bed: Bed, name: FaultName, plan: FaultPlan): Submission[] {
  const runs = bed.workers.flatMap(({ ownLane }) =>
    ownLane === null
      ? []
      : [
          {
            name: 'chaos.work',
            params: { ms: 0 },
            expected: ['completed'] as const,
            options: { lane: ownLane },
          },
        ],
  );
  return planSpecial(runs, {
    prefix: `${plan.seed}/${name}/probe`,
    correlationId: name,
    runs: runs.length,
    lengthMs: 0,
    now: new Date(),
  });
}

async function breakAndMend(
  bed: Bed,
  fault: Fault,
  plan: FaultPlan,
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const stop = AbortSignal.any([over.signal, signal]);
  const injecting = fault.inject(bed, random, stop);
  // Awaited below; a fault that fails early must not be an unhandled rejection meanwhile.
  injecting.catch(() => undefined);
  await pause(faultMs(fault, plan.timing), signal);
  over.abort();
  await injecting;
  await fault.heal(bed);
}

/** Waits until every request is answered, every run terminal and every worker heard of, at most so long. */
async function heal(
  bed: Bed,
  loads: readonly Promise<void>[],
  giveUp: AbortController,
  healMs: number,
  signal: AbortSignal,
): Promise<void> {
  const bound = AbortSignal.any([AbortSignal.timeout(healMs), signal]);
  let answered = false;
  const load = Promise.all(loads).then(() => (answered = true));
  await until(async () => answered && (await isWell(bed)), bound, 200);
  giveUp.abort();
  await load;
}

async function isWell(bed: Bed): Promise<boolean> {
  try {
    return (await countUnfinished(bed.admin)) === 0 && (await bed.silentWorkers()).length === 0;
  } catch {
    // Postgres does not answer yet.
    return false;
  }
}

async function answers(bed: Bed): Promise<boolean> {
  return bed.admin.query('SELECT 1').then(
    () => true,
    () => false,
  );
}

interface Totals {
  readonly restarts: number;
  readonly fencedWrites: number;
  readonly repeatedRequests: number;
}

function totals(bed: Bed): Totals {
  return {
    restarts: bed.services.reduce((sum, { process }) => sum + process.restarts, 0),
    fencedWrites: bed.metrics.fencedWrites,
    repeatedRequests: bed.load.repeated,
  };
}

type Verdict = Pick<
  FaultReport,
  'runs' | 'completed' | 'deadLetters' | 'unlucky' | 'leasesLost' | 'handedBack' | 'violations'
>;

const COUNTS = `SELECT count(*)::int AS runs, count(*) FILTER (WHERE status = 'completed')::int AS completed,
  count(*) FILTER (WHERE status = 'dead_lettered')::int AS dead_letters,
  (SELECT count(*)::int FROM runs r JOIN chaos.planned p ON p.key = r.idempotency_key WHERE r.correlation_id = $1
    AND r.status = 'dead_lettered' AND NOT 'dead_lettered' = ANY (p.expected)) AS unlucky,
  (SELECT count(*)::int FROM run_events e JOIN runs r ON r.id = e.run_id WHERE r.correlation_id = $1
    AND (e.event_type = 'lease_expired' OR e.terminal AND e.source = 'reaper')) AS leases_lost,
  (SELECT count(*)::int FROM run_events e JOIN runs r ON r.id = e.run_id WHERE r.correlation_id = $1
    AND e.event_type = 'handed_back') AS handed_back
FROM runs WHERE correlation_id = $1`;

async function judge(bed: Bed, fault: Fault, name: FaultName): Promise<Verdict> {
  await bed.metrics.sample();
  const up = await until(() => answers(bed), AbortSignal.timeout(WAIT_FOR_SERVICES_MS), 100);
  if (!up) bed.problem('Postgres did not come back');
  for (const worker of await bed.silentWorkers()) bed.problem(`${worker} runs and is not heard of`);
  await recordEvidence(bed.admin, {
    promised: bed.load.promised,
    planned: bed.load.planned,
    starts: readJournal(bed.journalFile).starts,
    losesLeases: bed.mayLoseLeases(fault.losesLeases),
  });
  const violations = await findViolations(bed.admin);
  const { rows } = await bed.admin.query<{
    runs: number;
    completed: number;
    dead_letters: number;
    unlucky: number;
    leases_lost: number;
    handed_back: number;
  }>(COUNTS, [name]);
  return {
    runs: rows[0]?.runs ?? 0,
    completed: rows[0]?.completed ?? 0,
    deadLetters: rows[0]?.dead_letters ?? 0,
    unlucky: rows[0]?.unlucky ?? 0,
    leasesLost: rows[0]?.leases_lost ?? 0,
    handedBack: rows[0]?.handed_back ?? 0,
    violations,
  };
}
