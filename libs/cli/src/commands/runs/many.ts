/** Changing many things at once: counted first, then asked about, then done. */
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';

export interface Matched {
  readonly dry_run: boolean;
  readonly matched: number;
}

export interface Many<T extends Matched> {
  readonly ask: (dryRun: boolean) => Promise<T>;
  readonly question: (counted: T) => string;
}

/**
 * With `--dry-run` the count; where nothing matches or the answer is no, the count as well; else what was done. `--yes`
 * asks nobody, and does not count first.
 * @throws UsageError where nobody can be asked
 */
export async function reviewed<T extends Matched>(
  { options }: Call,
  context: CliContext,
  { ask, question }: Many<T>,
): Promise<T> {
  if (options.flag('dryRun')) return ask(true);
  if (options.flag('yes')) return ask(false);
  const counted = await ask(true);
  if (counted.matched === 0 || !(await context.confirm(question(counted), false))) return counted;
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
