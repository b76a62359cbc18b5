/**
 * The program that cleans up after a test run that was interrupted or killed. vitest ends on Ctrl-C without a tear-down
 * and kills its workers, which then cannot stop the servers they have started.
 *
 * It waits for the end of its standard input, which its parent, however it ends, cannot avoid closing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { reapAbandonedServers } from './run-directory.ts';

/** vitest kills the workers at the same moment: their servers are abandoned a little later than those of the parent. */
const PASSES = 20;
const PAUSE_MS = 250;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // They are meant for the test run, and are sent to all of its processes.
  process.on(signal, () => undefined);
}

process.stdin.resume();
process.stdin.once('close', () => void reapRepeatedly());

async function reapRepeatedly(): Promise<void> {
  for (let pass = 0; pass < PASSES; pass++) {
    await reapAbandonedServers();
    await delay(PAUSE_MS);
  }
}
