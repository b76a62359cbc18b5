import type { NewRun } from '@spine/database';
import { PayloadMissingError } from './errors.ts';
import type { HasParams, Payloads } from './payloads.ts';

/**
 * Runs that do the work of others again, each with a copy of the params that are outside the old one's row. Those whose
 * params are gone are left out.
 *
 * @throws PayloadMissingError when there is one run and its params are gone; PayloadUnavailableError.
 */
export async function withCopiedParams<T extends { readonly run: NewRun }>(
  payloads: Payloads,
  planned: readonly T[],
  originalOf: (item: T) => HasParams | undefined,
): Promise<T[]> {
  const ready: T[] = [];
  for (const item of planned) {
    const original = originalOf(item);
    try {
      // One after another: each may be as large as a payload may be.
      const run = original === undefined ? item.run : await payloads.copyParams(original, item.run);
      ready.push({ ...item, run });
    } catch (error) {
      if (!(error instanceof PayloadMissingError) || planned.length === 1) throw error;
    }
  }
  return ready;
}
