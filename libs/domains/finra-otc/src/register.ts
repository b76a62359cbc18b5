import { z } from 'zod';
import { IdempotencyLevel } from '@spine/core';
import { dataFilePath } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { ingestWeek } from './ingest-week.ts';
import { weekEnding } from './operations/params.ts';
import { registerCalculations } from './operations/register.ts';
import { INGEST_WEEK, TIERS } from './vocabulary.ts';

export interface FinraOtcOptions {
  /** The folders `file_path` may name files of; others are refused. Relative ones are resolved against the working directory. */
  readonly dataRoots: readonly string[];
}

const filePath = dataFilePath.describe('A weekly file: relative to a data root, or absolute inside one.');

const params = z.strictObject({
  file_path: filePath,
  week_ending: weekEnding
    .optional()
    .describe('The Friday the file is about, YYYY-MM-DD. Default: the Friday before its publication date.'),
  tier: z.enum(TIERS).optional().describe('Default: the tier most rows of the file name.'),
  force: z.boolean().default(false).describe('Let week_ending stand where the file says another week.'),
});

/** Registers the handlers of FINRA's weekly OTC transparency data. */
export function registerFinraOtc(registry: HandlerRegistry, options: FinraOtcOptions): HandlerRegistry {
  const dataRoots = [...options.dataRoots];
  const withIngest = registry.registerOperation(
    INGEST_WEEK,
    {
      description:
        'Ingests a weekly FINRA OTC transparency file: new rows, rejects and the manifest in one transaction.',
      params,
      tags: ['finra', 'otc_transparency', 'ingest'],
      idempotency: IdempotencyLevel.L2_INPUT,
    },
    (given, ctx) => ingestWeek(given, ctx, dataRoots),
  );
  return registerCalculations(withIngest);
}
