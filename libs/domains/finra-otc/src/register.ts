import { z } from 'zod';
import { ValidationError, WeekEnding } from '@spine/core';
import type { HandlerRegistry } from '@spine/execution';
import { pathProblem } from './data-file.ts';
import { ingestWeek } from './ingest-week.ts';
import { INGEST_WEEK, TIERS } from './vocabulary.ts';

export interface FinraOtcOptions {
  /** The folders `file_path` may name files of; others are refused. Relative ones are resolved against the working directory. */
  readonly dataRoots: readonly string[];
}

const filePath = z
  .string()
  .max(4_096)
  .superRefine((text, ctx) => {
    const problem = pathProblem(text);
    if (problem !== null) ctx.addIssue({ code: 'custom', message: problem });
  })
  .describe('A weekly file: relative to a data root, or absolute inside one.');

const weekEnding = z
  .string()
  .transform((text, ctx) => {
    try {
      return WeekEnding.parse(text);
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      ctx.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  })
  .describe('The Friday the file is about, YYYY-MM-DD. Default: the Friday before its publication date.');

const params = z.strictObject({
  file_path: filePath,
  week_ending: weekEnding.optional(),
  tier: z.enum(TIERS).optional().describe('Default: the tier most rows of the file name.'),
  force: z.boolean().default(false).describe('Let week_ending stand where the file says another week.'),
});

/** Registers the handlers of FINRA's weekly OTC transparency data. */
export function registerFinraOtc(registry: HandlerRegistry, options: FinraOtcOptions): HandlerRegistry {
  const dataRoots = [...options.dataRoots];
  return registry.registerOperation(
    INGEST_WEEK,
    {
      description:
        'Ingests a weekly FINRA OTC transparency file: new rows, rejects and the manifest in one transaction.',
      params,
      tags: ['finra', 'otc_transparency', 'ingest'],
    },
    (given, ctx) => ingestWeek(given, ctx, dataRoots),
  );
}
