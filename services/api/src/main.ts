import { loadProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startApi } from './start-api.ts';

await runServiceProcess({
  name: 'api',
  start: () => startApi(loadProcessSettings({ role: 'api' })),
  stopWithinMs: 60_000,
});
