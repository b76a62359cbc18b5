/** What the linter says in JSON, with where it is in the text: of the API, and of the command line for a file. */
import { LINT_SEVERITIES } from './lint.ts';
import type { LintDiagnostic, LintSeverity } from './lint.ts';

/** A diagnostic, and where it is in the text that was given; from 1. */
export type PlacedDiagnostic = LintDiagnostic & { readonly line?: number; readonly column?: number };

export interface LintJson {
  readonly workflow: string;
  /** No errors. */
  readonly passed: boolean;
  readonly counts: Record<LintSeverity, number>;
  readonly diagnostics: {
    readonly code: string;
    readonly severity: LintSeverity;
    readonly field: string;
    readonly message: string;
    /** Of problems of a YAML file, from 1. */
    readonly line: number | null;
    readonly column: number | null;
  }[];
}

export function lintToJson(workflow: string, diagnostics: readonly PlacedDiagnostic[]): LintJson {
  const counts = { error: 0, warning: 0, info: 0 } satisfies Record<LintSeverity, number>;
  for (const severity of LINT_SEVERITIES) {
    counts[severity] = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  }
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
