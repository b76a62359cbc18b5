/** Finds the weekly files that a refresh is made of, before any of them is read. */
import { addDays, ValidationError } from '@spine/core';
import type { PlainDate, WeekEnding } from '@spine/core';
import { openDataFile } from '@spine/execution';
import { MissingFileError } from '../errors.ts';
import { MAX_FILE_BYTES } from '../ingest-week.ts';
import { TIERS } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';
import type { RefreshRequest } from './request.ts';

/** One file to ingest. */
export interface WeekFile {
  /** As `ingest_week` takes it. */
  readonly file_path: string;
}

/** The days after a week's end on which FINRA may publish it: those whose last Friday it is. */
const PUBLICATION_DAYS = 7;

/** The name under which a tier's file of a week is looked for, if it was published that day. */
export function weekFileName(tier: Tier, published: PlainDate): string {
  return `finra_otc_weekly_${tier.toLowerCase()}_${published.replaceAll('-', '')}.csv`;
}

/** The names a tier's file of a week may have, by date of publication. */
export function weekFileNames(tier: Tier, { date }: WeekEnding): string[] {
  return Array.from({ length: PUBLICATION_DAYS }, (_, index) => weekFileName(tier, addDays(date, index + 1)));
}

/**
 * The files of a refresh: those it names, else those of its tiers that are found by name. Of several of one tier all
 * are taken, in the order of their publication.
 *
 * @throws MissingFileError naming what is missing and where it belongs; ValidationError for a file that is too large.
 */
export async function findWeekFiles(
  { week_ending: week, tiers, files }: RefreshRequest,
  dataRoots: readonly string[],
): Promise<WeekFile[]> {
  if (files.length > 0) return namedFiles(files, dataRoots);
  const wanted = TIERS.filter((tier) => tiers.length === 0 || tiers.includes(tier));
  const found: WeekFile[] = [];
  const missing: Tier[] = [];
  for (const tier of wanted) {
    const ofTier: WeekFile[] = [];
    for (const name of weekFileNames(tier, week)) {
      if (await isThere(name, dataRoots)) ofTier.push({ file_path: name });
    }
    if (ofTier.length === 0) missing.push(tier);
    found.push(...ofTier);
  }
  if (found.length === 0 || (tiers.length > 0 && missing.length > 0)) throw missingOf(missing, week);
  return found;
}

async function namedFiles(paths: readonly string[], dataRoots: readonly string[]): Promise<WeekFile[]> {
  const missing: string[] = [];
  for (const path of paths) if (!(await isThere(path, dataRoots))) missing.push(path);
  if (missing.length === 0) return paths.map((file_path) => ({ file_path }));
  throw new MissingFileError(
    `${missing.map((path) => JSON.stringify(path)).join(', ')}: no such file in the data roots; ` +
      'put it into one of SPINE_DATA_ROOTS, and name it relative to that in params.files',
  );
}

function missingOf(missing: readonly Tier[], week: WeekEnding): MissingFileError {
  const names = missing.map((tier) => {
    const [first, ...rest] = weekFileNames(tier, week);
    return `${tier} (${first} to ${rest.at(-1)})`;
  });
  return new MissingFileError(
    `no weekly file for the week ending ${week.date} is in the data roots of: ${names.join(', ')}; ` +
      'put it into one of SPINE_DATA_ROOTS under the name with its date of publication, or name it in params.files',
  );
}

/** Whether ingest could open it. */
async function isThere(path: string, dataRoots: readonly string[]): Promise<boolean> {
  try {
    const { handle } = await openDataFile(path, dataRoots, MAX_FILE_BYTES);
    await handle.close();
    return true;
  } catch (error) {
    const absent =
      error instanceof ValidationError && error.issues.some(({ code }) => code === 'not_in_data_roots');
    if (absent) return false;
    throw error;
  }
}
