import { openProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startWorker } from './start-worker.ts';

await runServiceProcess({
  name: 'worker',
  start: async () => {
    const { settings, secrets } = await openProcessSettings({ role: 'worker' });
    return startWorker(settings, { secrets });
  },
  stopWithinMs: 60_000,
});
