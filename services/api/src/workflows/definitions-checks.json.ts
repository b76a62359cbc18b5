/** What linting and dry runs answer. */
import { z } from 'zod';
import { FORECASTS, LINT_SEVERITIES, STEP_KINDS } from '@spine/orchestration';
import type { DryRunResult, LintDiagnostic } from '@spine/orchestration';

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

/** A diagnostic, and where it is in the text that was sent. */
export type PlacedDiagnostic = LintDiagnostic & { readonly line?: number; readonly column?: number };

export function toLintJson(workflow: string, diagnostics: readonly PlacedDiagnostic[]): LintJson {
  const count = (severity: LintDiagnostic['severity']): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const counts = { error: count('error'), warning: count('warning'), info: count('info') };
  return {
    workflow,
    passed: counts.error === 0,
    counts,
    diagnostics: diagnostics.map(({ code, severity, field, message, line, column }) => ({
      code,
      severity,
      field,
      message,
      line: line ?? null,
      column: column ?? null,
    })),
  };
}

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

export function toDryRunJson(
  result: DryRunResult,
  version: number,
  hours: number,
): z.infer<typeof dryRunJson> {
  return {
    workflow: result.workflow,
    version,
    is_valid: result.isValid,
    issues: result.issues.map(({ field, code, message }) => ({ field, code, message })),
    steps: result.steps.map((step) => ({ ...step, notes: [...step.notes] })),
    waves: result.waves.map((wave) => [...wave]),
    total_seconds: result.totalSeconds,
    elapsed_seconds: result.elapsedSeconds,
    total_cost: result.totalCost,
    unestimated: [...result.unestimated],
    estimated_from_hours: hours,
  };
}
