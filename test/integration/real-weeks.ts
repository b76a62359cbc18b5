/** Two weeks as FINRA published them: whole files, kept compressed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

const COMPRESSED = resolve(import.meta.dirname, '../../libs/domains/finra-otc/fixtures/real');

/** Publication dates, with the weeks they are about. */
export const REAL_WEEKS = [
  { published: '20251215', week: '2025-12-12' },
  { published: '20251222', week: '2025-12-19' },
] as const;

export function realWeekName(published: string): string {
  return `finra_otc_weekly_otc_${published}.csv`;
}

/** Writes both files into a folder, under the names they were published with. */
export function unpackRealWeeks(folder: string): void {
  for (const name of readdirSync(COMPRESSED)) {
    writeFileSync(join(folder, basename(name, '.gz')), gunzipSync(readFileSync(join(COMPRESSED, name))));
  }
}
