import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isStillRunning } from '@spine/database/embedded';
import { LOCK_NAME, judgeLock } from './lock-record.ts';

/**
 * Where a system that `start` runs on this data directory listens, as its lock says; null where none runs, and while it is
 * not known yet. What a launcher that is gone has left behind is not believed.
 */
export function localUrl(dataDir: string): string | null {
  let text: string;
  try {
    text = readFileSync(join(dataDir, LOCK_NAME), 'utf8');
  } catch {
    // No lock, or that of somebody whose files are not ours to read.
    return null;
  }
  const verdict = judgeLock(text, isStillRunning);
  return verdict.kind === 'held' ? verdict.record.url : null;
}
