/** Which week and which tier a file is about, from what the caller, its name and its rows say. */
import { isPlainDate, ValidationError, WeekEnding } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { TIERS } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

export type WeekSource = 'week_ending' | 'file_name' | 'last_update_date';

/** What one source says the week is. */
export interface WeekClaim {
  readonly source: WeekSource;
  readonly weekEnding: WeekEnding;
}

export interface WeekDecision extends WeekClaim {
  /** The sources that say otherwise; none, as a rule. */
  readonly contradictedBy: readonly WeekClaim[];
}

export interface WeekEvidence {
  /** What the caller asked for. */
  readonly requested: WeekEnding | null;
  readonly fileName: string;
  /** The publication date the rows agree on. */
  readonly lastUpdateDate: PlainDate | null;
  /** Whether the caller's week stands even where the file says otherwise. */
  readonly force: boolean;
}

const PUBLICATION_DATE = /(?<!\d)(\d{4})(\d{2})(\d{2})\.[^.]+$/;

/** The date before the extension: `finra_otc_weekly_otc_20251215.csv` gives 2025-12-15. Null when there is none. */
export function publicationDateOf(fileName: string): PlainDate | null {
  const [, year, month, day] = PUBLICATION_DATE.exec(fileName) ?? [];
  const date = `${year}-${month}-${day}`;
  return isPlainDate(date) ? date : null;
}

/**
 * The week of a file: what the caller asked for, else the Friday before the publication date in its name, else the
 * Friday before the publication date of its rows.
 *
 * @throws ValidationError when nothing tells, and when the file contradicts the caller, who did not insist.
 */
export function decideWeek(evidence: WeekEvidence): WeekDecision {
  const { requested, fileName, lastUpdateDate, force } = evidence;
  const published = publicationDateOf(fileName);
  const claims: WeekClaim[] = [];
  if (published !== null)
    claims.push({ source: 'file_name', weekEnding: WeekEnding.fridayBefore(published) });
  if (lastUpdateDate !== null) {
    claims.push({ source: 'last_update_date', weekEnding: WeekEnding.fridayBefore(lastUpdateDate) });
  }
  const [derived] = claims;
  if (requested !== null && derived !== undefined && !requested.equals(derived.weekEnding) && !force) {
    throw invalid(
      'week_ending',
      'contradicts_file',
      `${requested.date} contradicts the ${derived.source} of the file, which says ${derived.weekEnding.date}; ` +
        'leave week_ending out, or insist with force: true',
    );
  }
  const chosen = requested === null ? derived : ({ source: 'week_ending', weekEnding: requested } as const);
  if (chosen === undefined) {
    const message =
      'neither the name of the file nor a lastUpdateDate in it tells the week; pass week_ending, a Friday';
    throw invalid('week_ending', 'not_derivable', message);
  }
  return { ...chosen, contradictedBy: claims.filter((claim) => !claim.weekEnding.equals(chosen.weekEnding)) };
}

/**
 * Refuses a week that is not over: nobody has published it, so the file's name or the caller is wrong.
 *
 * @param today the UTC date of the database.
 * @throws ValidationError also where the caller insists.
 */
export function checkWeekIsOver({ date }: WeekEnding, today: PlainDate): void {
  if (date <= today) return;
  throw invalid(
    'week_ending',
    'in_future',
    `${date} is in the future; today is ${today}, and a week is published when it is over`,
  );
}

/**
 * The tier of a file: what the caller asked for, else the one most of its rows name.
 * @throws ValidationError when nothing tells.
 */
export function decideTier(requested: Tier | null, named: Tier | null): Tier {
  const tier = requested ?? named;
  if (tier !== null) return tier;
  throw invalid(
    'tier',
    'not_derivable',
    `no row of the file names a known tier; pass one of ${TIERS.join(', ')}`,
  );
}

function invalid(field: string, code: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, {
    issues: [{ field: `params.${field}`, code, message }],
  });
}
