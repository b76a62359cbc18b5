/** The product's worker with handlers that hold on: to memory, or to their run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { loadProcessSettings } from '@spine/config';
import type { HandlerRegistry } from '@spine/execution';
import { runServiceProcess } from '@spine/observability';
import { startWorker } from '@spine/worker';

const MEBIBYTE = 1024 * 1024;
/** Set for a worker whose `hold` does not end by itself. */
const holds = process.env['TEST_HOLDS'] === 'yes';
const leaked: Buffer[] = [];

function registerTestHandlers(registry: HandlerRegistry): HandlerRegistry {
  return registry
    .registerTask(
      'leak',
      { description: 'Keeps memory for ever.', params: z.strictObject({ mb: z.int() }) },
      ({ mb }) => {
        leaked.push(Buffer.alloc(mb * MEBIBYTE, 1));
        return { leaked: leaked.length };
      },
    )
    .registerTask(
      'hold',
      { description: 'Ends when it is told to, or at once.', params: z.strictObject({}) },
      async (_, { signal }) => {
        if (!holds) return 'ended by itself';
        console.log('holding');
        return sleep(3_600_000, undefined, { signal });
      },
    );
}

await runServiceProcess({
  name: 'worker',
  start: async () =>
    startWorker(await loadProcessSettings({ role: 'worker' }), { moreHandlers: registerTestHandlers }),
  stopWithinMs: 60_000,
});
