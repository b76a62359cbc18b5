import { loadProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startScheduler } from './start-scheduler.ts';

await runServiceProcess({
  name: 'scheduler',
  start: async () => startScheduler(await loadProcessSettings({ role: 'scheduler' })),
  stopWithinMs: 15_000,
});
