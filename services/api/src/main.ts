import { openProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startApi } from './start-api.ts';

await runServiceProcess({
  name: 'api',
  start: async () => {
    const { settings, secrets, variables } = await openProcessSettings({ role: 'api' });
    return startApi(settings, secrets, variables);
  },
  stopWithinMs: 60_000,
});
