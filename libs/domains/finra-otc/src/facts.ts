import { isPlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { SourceLine } from './lines.ts';
import { COLUMNS, parseTier } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

/** Different dates that are counted. A weekly file has a handful; one made to have millions must not fill the memory. */
const MOST_DATES = 1_000;

/** Which tier and which date the lines of a file agree on, whatever single broken lines say. */
export class FileFacts {
  readonly #tiers = new Map<Tier, number>();
  readonly #dates = new Map<PlainDate, number>();

  #lines = 0;

  add(lines: readonly SourceLine[]): void {
    this.#lines += lines.length;
    for (const { fields } of lines) {
      if (fields.length !== COLUMNS.length) continue;
      const tier = parseTier(fields[0] ?? '');
      if (tier !== null) increment(this.#tiers, tier);
      const date = (fields[COLUMNS.length - 1] ?? '').trim();
      if (this.#isCounted(date)) increment(this.#dates, date);
    }
  }

  /** One that is counted already is a date, and need not be read again. */
  #isCounted(date: string): date is PlainDate {
    const dates: ReadonlyMap<string, number> = this.#dates;
    return dates.has(date) || (dates.size < MOST_DATES && isPlainDate(date));
  }

  /** Lines below the header that are not blank. */
  get lines(): number {
    return this.#lines;
  }

  /** The tier most lines name; of equals, the first one named. Null when no line names a known tier. */
  get tier(): Tier | null {
    return mostFrequent(this.#tiers);
  }

  /** The `lastUpdateDate` most lines bear; of equals, the first one seen. Null when no line bears a date. */
  get lastUpdateDate(): PlainDate | null {
    return mostFrequent(this.#dates);
  }
}

function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function mostFrequent<K>(counts: ReadonlyMap<K, number>): K | null {
  let best: K | null = null;
  let most = 0;
  for (const [key, count] of counts) {
    if (count > most) {
      best = key;
      most = count;
    }
  }
  return best;
}
