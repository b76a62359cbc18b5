/**
 * One fault from its first repeat to its verdict: fault and calm in turn under load, then time to heal, then the
 * invariants.
 *
 * 1. Work arrives during faults and calm alike. 2. The heal ends early once everything is terminal, and is bounded.
 * 3. The verdict is SQL over what the database, the client and the handlers have written down.
 */
import { performance } from 'node:perf_hooks';
import type { Bed } from './bed/bed.ts';
import { countUnfinished } from './check/invariants.ts';
import { judge } from './check/judge.ts';
import type { FaultReport } from './fault-report.ts';
import type { Fault } from './faults/fault.ts';
import { faultOf } from './faults/index.ts';
import type { FaultName } from './faults/index.ts';
import { planSpecial, planWork } from './load/plan.ts';
import type { Submission } from './load/plan.ts';
import { pause, until } from './pause.ts';
import { Random } from './random.ts';

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

/** Runs every repeat of a fault on a bed and judges it; at the signal it stops, and judges nothing. */
export async function runFault(
  bed: Bed,
  name: FaultName,
  plan: FaultPlan,
  signal: AbortSignal,
  onRepeat: (done: number) => void = () => undefined,
): Promise<FaultReport | 'interrupted'> {
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
  if (signal.aborted) return 'interrupted';
  await fault.restore?.(bed);
  const effects = effectsSince(bed, before);
  if (effects.every(([, times]) => times === 0)) bed.problem(`${name} had no effect`);
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
    effects: Object.fromEntries(effects),
    problems: bed.problems.slice(before.problems),
  };
}

function faultMs(fault: Fault, timing: Timing): number {
  return fault.seconds === undefined ? timing.faultMs : fault.seconds[timing.length] * 1_000;
}

function submissionsOf(name: FaultName, fault: Fault, plan: FaultPlan, repeat: number): Submission[] {
  const random = Random.for(plan.seed, name, repeat, 'load');
  const length = faultMs(fault, plan.timing);
  const runs = Math.round(plan.runs * (fault.load ?? 1));
  const upTo = (repeats: number): number => Math.floor((runs * repeats) / plan.repeats);
  const window = {
    prefix: `${plan.seed}/${name}/${repeat}`,
    correlationId: name,
    runs: upTo(repeat) - upTo(repeat - 1),
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

interface Totals {
  readonly restarts: number;
  readonly fencedWrites: number;
  readonly repeatedRequests: number;
  readonly problems: number;
  readonly effects: ReadonlyMap<string, number>;
}

function totals(bed: Bed): Totals {
  return {
    restarts: bed.services.reduce((sum, { process }) => sum + process.restarts, 0),
    fencedWrites: bed.metrics.fencedWrites,
    repeatedRequests: bed.load.repeated,
    problems: bed.problems.length,
    effects: new Map(bed.effects),
  };
}

/** What this fault did, on a bed that others may have been on before. */
function effectsSince(bed: Bed, before: Totals): (readonly [string, number])[] {
  return [...bed.effects]
    .map(([effect, times]) => [effect, times - (before.effects.get(effect) ?? 0)] as const)
    .filter(([effect, times]) => times > 0 || !before.effects.has(effect));
}
