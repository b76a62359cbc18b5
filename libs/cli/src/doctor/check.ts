/**
 * Carrying out checks.
 *
 * 1. Checks run side by side, each with a limit: one that hangs or breaks takes no other with it, and is itself a finding.
 * 2. What a check finds is told in the order of the checks, not in the order of their ends.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { reasonOf } from '../local/reason.ts';
import { findingsOf } from './finding.ts';
import type { Finding, Subject } from './finding.ts';
import type { Clean } from './scrub.ts';

export interface Check {
  /** What it looks at, said when it breaks: `migrations`. */
  readonly name: string;
  readonly subject: Subject;
  /** @param signal aborts when nobody waits for the answer any more */
  readonly run: (signal: AbortSignal) => Promise<readonly Finding[]>;
}

export interface CheckOptions {
  /** For each check. */
  readonly timeoutMs: number;
  /** @throws its reason from the whole of the checks: Ctrl-C */
  readonly signal: AbortSignal;
  /** Takes secrets out of what a driver says. */
  readonly clean: Clean;
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** What a broken check is: nobody knows how that part does. */
function broken({ name, subject }: Check, reason: string): Finding {
  return findingsOf(subject).error(
    'check_failed',
    { message: `${name} could not be looked at: ${reason}`, measured: { check: name, reason } },
    'look whether the reason says what is in the way; --timeout gives a slow server more time',
  );
}

async function runOne(check: Check, { timeoutMs, signal, clean }: CheckOptions): Promise<readonly Finding[]> {
  const over = new AbortController();
  const given = AbortSignal.any([signal, over.signal]);
  const late = async (): Promise<never> => {
    await delay(timeoutMs, undefined, { signal: given });
    throw new NoAnswer(`no answer within ${timeoutMs} ms`);
  };
  try {
    return await Promise.race([check.run(given), late()]);
  } catch (error) {
    signal.throwIfAborted();
    return [broken(check, clean(reasonOf(error)))];
  } finally {
    over.abort();
  }
}

/** Every check's findings. @throws the signal's reason */
export async function runChecks(checks: readonly Check[], options: CheckOptions): Promise<Finding[]> {
  const found = await Promise.all(checks.map((check) => runOne(check, options)));
  return found.flat();
}
