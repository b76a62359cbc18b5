/** The params of the operations. */
import { z } from 'zod';
import { ValidationError, WeekEnding } from '@spine/core';
import { TIER_NAMES, tierOf } from '../tier-alias.ts';

/** A Friday as text becomes a week; any other text is refused with the Fridays around it. */
export const weekEnding = z.string().transform((text, ctx) => {
  try {
    return WeekEnding.parse(text);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    // Without the field's name, which whoever shows the issue puts before it.
    for (const { message } of error.issues) ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
});

export const tier = z
  .string()
  .max(40)
  .transform((text, ctx) => {
    const found = tierOf(text);
    if (found !== null) return found;
    ctx.addIssue({
      code: 'custom',
      message: `${JSON.stringify(text)} is not a tier; allowed are ${TIER_NAMES}`,
    });
    return z.NEVER;
  })
  .describe(`${TIER_NAMES}.`);

const version = {
  calc_version: z
    .string()
    .max(10)
    .optional()
    .describe('The version of the calculation. Default: the current one. A deprecated one warns.'),
  force: z.boolean().default(false).describe('Calculate although the manifest shows it done.'),
};

const capture_id = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .describe('What was known then: a capture, or the capture_id of an ingest. Default: what is known now.');

/** Of a calculation over one capture of a week and tier. */
export const captureParams = z.strictObject({
  week_ending: weekEnding.describe('A Friday, YYYY-MM-DD.'),
  tier,
  capture_id,
  ...version,
});
export type CaptureParams = z.output<typeof captureParams>;

/** Of a calculation over all tiers of a week. */
export const weekParams = z.strictObject({
  week_ending: weekEnding.describe('A Friday, YYYY-MM-DD.'),
  ...version,
});
export type WeekParams = z.output<typeof weekParams>;
