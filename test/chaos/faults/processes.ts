/** Faults of the processes themselves: killed, frozen, blocked, out of memory, replaced. */
import type { Bed } from '../bed/bed.ts';
import type { Service } from '../bed/deployment.ts';
import { LEASE_SECONDS } from '../bed/deployment.ts';
import { pause, until } from '../pause.ts';
import type { SpecialRun } from '../load/plan.ts';
import type { Random } from '../random.ts';
import type { Fault } from './fault.ts';

/** A lease, the grace of the reaper and a round of it, and a little. */
export const LEASE_LOST_SECONDS = LEASE_SECONDS + 4;

export async function startAll(bed: Bed): Promise<void> {
  await Promise.all(bed.services.map((service) => service.process.start()));
}

/** How many runs the worker holds, once it holds some: who kills an idle one proves nothing. */
export async function untilItHolds(bed: Bed, worker: Service, signal: AbortSignal): Promise<number> {
  let held = 0;
  await until(async () => (held = await bed.runsHeldBy(worker)) > 0, signal, 20);
  return held;
}

async function killWorkers(bed: Bed, random: Random, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(random.int(200, 1_500), signal);
    if (signal.aborted) return;
    const victim = random.pick(bed.workers);
    const held = await untilItHolds(bed, victim, signal);
    if (held === 0) return;
    await victim.process.end('SIGKILL');
    bed.count('workers killed');
    bed.count('runs they held', held);
    await pause(random.int(0, 1_000), signal);
    await victim.process.start();
  }
}

export const workerKill: Fault = {
  what: 'kill -9 of workers, each started again within a second',
  losesLeases: true,
  inject: killWorkers,
  heal: startAll,
};

/** Long enough that somebody else is at work on them when their first worker comes back. */
export function longRuns(random: Random): SpecialRun[] {
  return Array.from({ length: 6 }, () => ({
    name: 'chaos.work',
    params: { ms: random.int(4_500, 6_500) },
    expected: ['completed'],
    atMs: random.int(0, 100),
  }));
}

/** One worker frozen as a whole; a handler blocks the event loop of another. Both wake up after their leases. */
export const zombie: Fault = {
  what: 'a worker frozen, another one with a blocked event loop, both past their leases, then going on',
  seconds: { full: LEASE_LOST_SECONDS, short: LEASE_LOST_SECONDS },
  load: 0.4,
  losesLeases: true,
  specialRuns: (random) => [
    ...longRuns(random),
    {
      name: 'chaos.block',
      params: { ms: LEASE_LOST_SECONDS * 1_000 },
      expected: ['completed'],
      atMs: 300,
    },
  ],
  inject: async (bed, random, signal) => {
    await pause(random.int(100, 500), signal);
    const victim = random.pick(bed.workers);
    bed.count('runs of frozen workers', await untilItHolds(bed, victim, signal));
    victim.process.signal('SIGSTOP');
    bed.count('workers frozen');
    await until(() => false, signal, 1_000);
    victim.process.signal('SIGCONT');
  },
  heal: startAll,
};

async function replace(bed: Bed, service: Service): Promise<void> {
  const { name } = service.process;
  const { code, forced } = await service.process.end('SIGTERM');
  if (forced) bed.problem(`${name} did not end within 30 s of SIGTERM`);
  else if (code !== 0) bed.problem(`${name} ended with code ${code} after SIGTERM`);
  await service.process.start();
}

export const deploy: Fault = {
  what: 'SIGTERM in the middle of runs, to workers, API and schedulers in turn, and a new process in its place',
  losesLeases: false,
  inject: async (bed, random, signal) => {
    for (;;) {
      await pause(random.int(300, 1_000), signal);
      if (signal.aborted) return;
      await replace(bed, random.chance(0.7) ? random.pick(bed.workers) : random.pick(bed.services));
      bed.count('processes replaced');
    }
  },
  heal: startAll,
};

const untilSignal = async (_bed: Bed, _random: Random, signal: AbortSignal): Promise<void> => {
  await until(() => false, signal, 1_000);
};

/** After the last run has healed: a third crash comes long after its fault. */
function countDeaths(bed: Bed): void {
  const deaths = bed.workers.reduce((sum, { process }) => sum + process.crashes, 0);
  bed.count('workers that died', deaths - (bed.effects.get('workers that died') ?? 0));
}

export const poison: Fault = {
  what: 'a handler that ends its process: a dead letter after three crashes',
  losesLeases: true,
  specialRuns: () => [{ name: 'chaos.exit', params: {}, expected: ['dead_lettered'], atMs: 200 }],
  inject: untilSignal,
  heal: startAll,
  restore: (bed) => {
    countDeaths(bed);
    return Promise.resolve();
  },
};

const SMALL_HEAP = '--max-old-space-size=160';

async function restartWorkers(bed: Bed, nodeArgs: readonly string[]): Promise<void> {
  await Promise.all(
    bed.workers.map(async ({ process }) => {
      process.use({ nodeArgs });
      await process.restart();
    }),
  );
}

export const outOfMemory: Fault = {
  what: 'a handler that fills the heap until its worker dies, once or every time',
  losesLeases: true,
  specialRuns: (random) => {
    const always = random.chance(0.5);
    return [
      {
        name: 'chaos.grow',
        params: { attempts: always ? 100 : 1 },
        expected: [always ? 'dead_lettered' : 'completed'],
        atMs: 200,
      },
    ];
  },
  prepare: (bed) => restartWorkers(bed, [SMALL_HEAP]),
  inject: untilSignal,
  heal: startAll,
  restore: async (bed) => {
    countDeaths(bed);
    await restartWorkers(bed, []);
  },
};
