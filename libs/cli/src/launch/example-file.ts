import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** A weekly file below the data roots, for the curl line: a user's own before the sample that comes with Spine. */
export function findExampleFile(dataRoots: readonly string[]): string | undefined {
  for (const root of dataRoots) {
    if (!existsSync(root)) continue;
    const file = readdirSync(root)
      .sort()
      .find((name) => /^finra_otc_weekly_\w+_\d{8}\.csv$/i.test(name) && !name.includes('broken'));
    if (file !== undefined) return join(root, file);
  }
  return undefined;
}
