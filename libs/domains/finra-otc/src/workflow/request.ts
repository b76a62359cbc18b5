/** What a run of the weekly workflow may be asked for. */
import { z } from 'zod';
import { truncateText, ValidationError } from '@spine/core';
import { dataFilePath, paramIssues } from '@spine/execution';
import { rejectRate } from '../operations/check-week.ts';
import { tier, weekEnding } from '../operations/params.ts';
import { TIERS } from '../vocabulary.ts';

/** Files of one run at the most: corrections of every tier of a week, and some. */
const MOST_FILES = 30;

const request = z.strictObject({
  week_ending: weekEnding.describe('A Friday, YYYY-MM-DD.'),
  tiers: z
    .array(tier)
    .max(TIERS.length)
    .describe('Tiers whose files must be there. Empty: those whose files are found, at least one.'),
  files: z
    .array(dataFilePath)
    .max(MOST_FILES)
    .describe('The files themselves, in place of looking for them. Empty: they are looked for by name.'),
  force: z.boolean().describe('Calculate although the manifest shows it done.'),
  force_week: z.boolean().describe('Let week_ending stand where a file says another week.'),
  max_reject_rate: rejectRate,
});

export type RefreshRequest = z.output<typeof request>;

/** @throws ValidationError naming every param that is wrong. */
export function parseRequest(params: unknown): RefreshRequest {
  const parsed = request.safeParse(params);
  if (!parsed.success) throw refused(paramIssues(parsed.error));
  const { tiers, files } = parsed.data;
  if (tiers.length > 0 && files.length > 0) {
    const message = 'either tiers, whose files are looked for, or the files themselves';
    throw refused([{ field: 'params.files', code: 'conflict', message }]);
  }
  return parsed.data;
}

function refused(issues: ReturnType<typeof paramIssues>): ValidationError {
  const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
  return new ValidationError(truncateText(message, 1_000), { issues });
}
