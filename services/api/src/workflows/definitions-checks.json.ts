/** What linting and dry runs answer, as the document says it; the values are made by `lintToJson` and `dryRunToJson`. */
import { z } from 'zod';
import { dryRunToJson, FORECASTS, LINT_SEVERITIES, STEP_KINDS } from '@spine/orchestration';
import type { DryRunResult } from '@spine/orchestration';

export const lintJson = z
  .object({
    workflow: z.string(),
    passed: z.boolean().describe('No errors.'),
    counts: z.record(z.enum(LINT_SEVERITIES), z.int()),
    diagnostics: z.array(
      z.object({
        code: z.string(),
        severity: z.enum(LINT_SEVERITIES),
        field: z.string(),
        message: z.string(),
        line: z.int().nullable().describe('Of problems of a YAML file, from 1.'),
        column: z.int().nullable(),
      }),
    ),
  })
  .meta({ id: 'WorkflowLint' });
export type LintJson = z.infer<typeof lintJson>;

export const dryRunJson = z
  .object({
    workflow: z.string(),
    version: z.int(),
    is_valid: z.boolean(),
    issues: z.array(z.object({ field: z.string(), code: z.string(), message: z.string() })),
    steps: z.array(
      z.object({
        name: z.string(),
        kind: z.enum(STEP_KINDS),
        order: z.int(),
        wave: z.int().describe('Those of a wave wait for earlier waves alone.'),
        forecast: z.enum(FORECASTS),
        items: z.int().nullable().describe('Of a map whose items are known.'),
        seconds: z.number().nullable().describe('Expected; null where nobody knows.'),
        cost: z.string().nullable().describe('Decimal; null where nobody knows.'),
        notes: z.array(z.string()),
      }),
    ),
    waves: z.array(z.array(z.string())),
    total_seconds: z.number(),
    elapsed_seconds: z.number(),
    total_cost: z.string(),
    unestimated: z.array(z.string()),
    estimated_from_hours: z
      .int()
      .describe('Seconds of handlers are medians of the steps of these last hours.'),
  })
  .meta({ id: 'WorkflowDryRun', description: 'What a run would do. Nothing is called.' });

/** @param hours of the steps that seconds are estimated from */
export function toDryRunJson(
  result: DryRunResult,
  version: number,
  hours: number,
): z.infer<typeof dryRunJson> {
  const { workflow, ...forecast } = dryRunToJson(result);
  return { workflow, version, ...forecast, estimated_from_hours: hours };
}
