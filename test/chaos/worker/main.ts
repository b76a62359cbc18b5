/** The product's worker with the handlers of the harness beside its own. */
import { loadProcessSettings } from '@spine/config';
import { runServiceProcess } from '@spine/observability';
import { startWorker } from '@spine/worker';
import { chaosWorkflows } from '../workflows/definition.ts';
import { registerChaosHandlers } from './handlers.ts';
import { JournalWriter } from './journal.ts';

const journal = process.env['CHAOS_JOURNAL'];
if (journal === undefined) throw new TypeError('CHAOS_JOURNAL names no file');
const writer = new JournalWriter(journal);

await runServiceProcess({
  name: 'worker',
  start: async () =>
    startWorker(await loadProcessSettings({ role: 'worker' }), {
      workflows: chaosWorkflows(writer),
      moreHandlers: (registry) => registerChaosHandlers(registry, writer),
    }),
  stopWithinMs: 60_000,
});
