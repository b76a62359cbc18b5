import { loadProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startWorker } from './start-worker.ts';

await runServiceProcess({
  name: 'worker',
  start: async () => startWorker(await loadProcessSettings({ role: 'worker' })),
  stopWithinMs: 60_000,
});
