/** Machines whose clocks are wrong. */
import type { Bed } from '../bed/bed.ts';
import type { Service } from '../bed/deployment.ts';
import { until } from '../pause.ts';
import type { Fault } from './fault.ts';

const SKEW_MS = 5 * 60_000;
const PRELOAD = new URL('../clock-skew.ts', import.meta.url).href;

/** Ahead for one process, behind for the next. */
async function restartSkewed(services: readonly Service[], firstMs: number): Promise<void> {
  await Promise.all(
    services.map(async ({ process }, index) => {
      const skewMs = index % 2 === 0 ? firstMs : -firstMs;
      process.use({ nodeArgs: skewMs === 0 ? [] : ['--import', `${PRELOAD}?skew_ms=${skewMs}`] });
      await process.end('SIGTERM');
      await process.start();
    }),
  );
}

export const clockSkew: Fault = {
  what: 'two schedulers and two workers whose clocks are five minutes ahead and behind, then the other way round',
  losesLeases: false,
  inject: async (bed: Bed, random, signal) => {
    const firstMs = random.pick([SKEW_MS, -SKEW_MS]);
    await Promise.all([
      restartSkewed(bed.schedulers, firstMs),
      restartSkewed(bed.workers.slice(0, 2), -firstMs),
    ]);
    bed.count('clocks set wrong', bed.schedulers.length + 2);
    await until(() => false, signal, 1_000);
  },
  heal: () => Promise.resolve(),
  restore: async (bed) => {
    await restartSkewed([...bed.schedulers, ...bed.workers], 0);
  },
};
