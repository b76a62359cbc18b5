import { openProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startApi } from './start-api.ts';

await runServiceProcess({
  name: 'api',
  start: async () => {
    const { settings, secrets } = await openProcessSettings({ role: 'api' });
    return startApi(settings, secrets);
  },
  stopWithinMs: 60_000,
});
