/** Changing many things at once: counted first, then asked about, then done. */
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';

export interface Many<T> {
  readonly ask: (dryRun: boolean) => Promise<T>;
  /** Null where there is nothing to do. */
  readonly question: (counted: T) => string | null;
}

/**
 * With `--dry-run` the count; where nothing matches or the answer is no, the count as well; else what was done. `--yes`
 * asks nobody, and does not count first.
 * @throws UsageError where nobody can be asked
 */
export async function reviewed<T>(
  { options }: Call,
  context: CliContext,
  { ask, question }: Many<T>,
): Promise<T> {
  if (options.flag('dryRun')) return ask(true);
  if (options.flag('yes')) return ask(false);
  const counted = await ask(true);
  const asked = question(counted);
  if (asked === null || !(await context.confirm(asked, false))) return counted;
  return ask(false);
}

/** `, 2 params_gone`: what became of those that were not done. */
export function exceptFor(items: readonly { readonly outcome: string }[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of items) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const done = ['cancelled', 'retried', 'replayed', 'resolved'];
  return [...counts]
    .filter(([outcome]) => !done.includes(outcome))
    .map(([outcome, count]) => `, ${count} ${outcome}`)
    .join('');
}
