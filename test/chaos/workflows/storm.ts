/**
 * Everything breaks at once: workers, schedulers, Redis and Postgres are killed, each at moments of its own, and come back
 * within seconds. A seed names the moments and the victims again.
 */
import type { Bed } from '../bed/bed.ts';
import type { Service } from '../bed/deployment.ts';
import { pause } from '../pause.ts';
import { Random } from '../random.ts';

/** Milliseconds. */
interface Rhythm {
  readonly quiet: readonly [least: number, most: number];
  readonly down: readonly [least: number, most: number];
}

type Blow = (bed: Bed, random: Random, down: () => Promise<void>) => Promise<void>;

/** Kills one that is at work, so that each has its time; who is slow to come back keeps nothing waiting. */
async function killOne(
  bed: Bed,
  random: Random,
  { what, services }: { readonly what: string; readonly services: readonly Service[] },
  down: () => Promise<void>,
): Promise<void> {
  const ready = services.filter(({ process }) => process.ready !== null);
  if (ready.length === 0) return;
  const { process } = random.pick(ready);
  await process.end('SIGKILL');
  bed.count(`${what} killed`);
  await down();
  void process.start().catch(() => undefined);
}

const BLOWS: Readonly<Record<string, Rhythm & { readonly blow: Blow }>> = {
  workers: {
    quiet: [1_000, 6_000],
    down: [0, 1_000],
    blow: (bed, random, down) => killOne(bed, random, { what: 'workers', services: bed.workers }, down),
  },
  schedulers: {
    quiet: [2_000, 10_000],
    down: [0, 2_000],
    blow: (bed, random, down) => killOne(bed, random, { what: 'schedulers', services: bed.schedulers }, down),
  },
  redis: {
    quiet: [4_000, 15_000],
    down: [0, 2_000],
    blow: async (bed, _random, down) => {
      await bed.redis.kill();
      await down();
      await bed.redis.restart();
      bed.count('Redis killed, back empty');
    },
  },
  postgres: {
    quiet: [8_000, 25_000],
    down: [0, 1_500],
    blow: async (bed, random, down) => {
      await bed.postgres.crash(random.pick(['SIGQUIT', 'SIGKILL'] as const));
      await down();
      await bed.postgres.recover();
      bed.count('Postgres crashes');
    },
  },
};

/** Resolves when the signal has come and the servers are back; processes come back by themselves, see {@link allReady}. */
export async function storm(bed: Bed, seed: number, signal: AbortSignal): Promise<void> {
  await Promise.all(
    Object.entries(BLOWS).map(async ([name, { quiet, down, blow }]) => {
      const random = Random.for(seed, 'storm', name);
      while (!signal.aborted) {
        await pause(random.int(...quiet), signal);
        if (!signal.aborted) await blow(bed, random, () => pause(random.int(...down), signal));
      }
    }),
  );
  for (const { process } of bed.services) void process.start().catch(() => undefined);
}

/** Whether every process runs and has said so. */
export function allReady(bed: Bed): boolean {
  return bed.services.every(({ process }) => process.ready !== null);
}
