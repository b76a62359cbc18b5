/**
 * `spine doctor --fix`: proposes, asks, does, and looks again.
 *
 * 1. Nothing is done that nobody has said yes to.
 * 2. What fails takes no other with it; it is told, and so is what was declined.
 * 3. What counts in the end is what the second look finds, not what was believed to be done.
 */
import { reasonOf } from '../../local/reason.ts';
import type { Finding, FindingId } from '../finding.ts';
import type { Clean } from '../scrub.ts';
import { proposalsFor, REMEDY_QUESTIONS } from './remedy.ts';
import type { Remedy } from './remedy.ts';

export interface Fix {
  readonly remedy: Remedy;
  /** What it was for. */
  readonly findings: readonly FindingId[];
  readonly outcome: 'done' | 'failed' | 'declined';
  /** What was done, or what stood in the way. */
  readonly message: string;
}

export interface Repair {
  /** @throws Interrupted, and UsageError where nobody can be asked */
  readonly ask: (question: string) => Promise<boolean>;
  /** @returns what was done */
  readonly carryOut: (remedy: Remedy) => Promise<string>;
  readonly look: () => Promise<readonly Finding[]>;
  /** Told of each fix when it is over. */
  readonly onFix: (fix: Fix) => void;
  /** @throws its reason */
  readonly signal: AbortSignal;
  readonly clean: Clean;
}

export interface Repaired {
  readonly fixes: readonly Fix[];
  /** What is found now. */
  readonly findings: readonly Finding[];
}

export async function repair(found: readonly Finding[], how: Repair): Promise<Repaired> {
  const fixes: Fix[] = [];
  for (const { remedy, findings } of proposalsFor(found)) {
    const fix = await attempt(remedy, how);
    const told: Fix = { remedy, findings: findings.map(({ id }) => id), ...fix };
    fixes.push(told);
    how.onFix(told);
  }
  const isChanged = fixes.some(({ outcome }) => outcome !== 'declined');
  return { fixes, findings: isChanged ? await how.look() : found };
}

async function attempt(
  remedy: Remedy,
  { ask, carryOut, signal, clean }: Repair,
): Promise<Pick<Fix, 'outcome' | 'message'>> {
  if (!(await ask(REMEDY_QUESTIONS[remedy]))) return { outcome: 'declined', message: 'left as it is' };
  try {
    return { outcome: 'done', message: await carryOut(remedy) };
  } catch (error) {
    signal.throwIfAborted();
    return { outcome: 'failed', message: clean(reasonOf(error)) };
  }
}
