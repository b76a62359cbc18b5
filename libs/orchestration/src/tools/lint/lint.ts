/**
 * What is likely to go wrong with a workflow that may well be correct. Rules are pure functions of the definition; whoever
 * has house rules adds their own.
 */
import { toError, ValidationError } from '@spine/core';
import type { ValidationIssue } from '@spine/core';
import { compileStep } from '../../workflow/compile.ts';
import type { Compilation } from '../../workflow/compile.ts';
import { findWorkflowIssues } from '../../workflow/define.ts';
import type { DefinitionLookups } from '../../workflow/define.ts';
import type { Call, WorkflowInput } from '../../workflow/model.ts';
import { shapeOf } from '../shape.ts';
import type { WorkflowShape } from '../shape.ts';
import { BUILT_IN_RULES } from './rules.ts';

export const LINT_SEVERITIES = ['error', 'warning', 'info'] as const;
export type LintSeverity = (typeof LINT_SEVERITIES)[number];

export interface LintFinding {
  /** A field of the workflow's JSON, e.g. `steps[2].routes`; '' for the workflow. */
  readonly field: string;
  readonly message: string;
}

export interface LintDiagnostic extends LintFinding {
  readonly code: string;
  readonly severity: LintSeverity;
}

export interface LintContext {
  readonly workflow: WorkflowInput;
  readonly shape: WorkflowShape;
  /** One for each step, in the order of the list. */
  readonly compilations: readonly Compilation[];
  /** Whether doing it twice is as good as once; undefined where nobody knows. */
  isIdempotent(kind: Call['kind'], handler: string): boolean | undefined;
}

export interface LintRule {
  /** A letter and digits, e.g. `W101`. Unique among the rules of one run. */
  readonly code: string;
  readonly severity: LintSeverity;
  /** What it looks for, as a sentence. */
  readonly title: string;
  check(context: LintContext): readonly LintFinding[];
}

export interface LintOptions {
  /** Besides the built-in ones. */
  readonly rules?: readonly LintRule[];
  /** Codes of rules that are left out. */
  readonly ignore?: readonly string[];
  readonly lookups?: DefinitionLookups;
  readonly isIdempotent?: LintContext['isIdempotent'];
}

export interface LintReport {
  readonly workflow: string;
  /** Errors first, then by code; of one code in the order of the steps. */
  readonly diagnostics: readonly LintDiagnostic[];
  readonly counts: Readonly<Record<LintSeverity, number>>;
  /** No errors. */
  readonly passed: boolean;
}

/** Of problems that keep a workflow from being defined at all; `message` says which. */
export const DEFINITION_CODE = 'E001';
/** Of a rule that has failed itself. */
export const BROKEN_RULE_CODE = 'E002';

/** @throws ValidationError for two rules of one code. */
export function lintWorkflow(workflow: WorkflowInput, options: LintOptions = {}): LintReport {
  const rules = [...BUILT_IN_RULES, ...(options.rules ?? [])];
  checkCodes(rules);
  const ignored = new Set(options.ignore);
  const issues = findWorkflowIssues(workflow, options.lookups);
  const context: LintContext = {
    workflow,
    shape: shapeOf(workflow),
    compilations: workflow.steps.map(compileStep),
    isIdempotent: options.isIdempotent ?? (() => undefined),
  };
  const found = rules.filter(({ code }) => !ignored.has(code)).flatMap((rule) => apply(rule, context));
  const diagnostics = [...issues.map(fromIssue), ...found].sort(
    (a, b) => rank(a.severity) - rank(b.severity) || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0),
  );
  const count = (severity: LintSeverity): number =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
  const counts = { error: count('error'), warning: count('warning'), info: count('info') };
  return { workflow: workflow.name, diagnostics, counts, passed: counts.error === 0 };
}

/** The report as lines of text, one a diagnostic, the counts last. */
export function formatLintReport({ workflow, diagnostics, counts }: LintReport): string {
  const lines = diagnostics.map(
    ({ severity, code, field, message }) =>
      `${severity} ${code} ${field === '' ? workflow : field}: ${message}`,
  );
  return [...lines, `${counts.error} errors, ${counts.warning} warnings, ${counts.info} infos`].join('\n');
}

function apply(rule: LintRule, context: LintContext): LintDiagnostic[] {
  const { code, severity } = rule;
  try {
    return rule.check(context).map(({ field, message }) => ({ field, message, code, severity }));
  } catch (error) {
    const message = `rule ${code} has failed: ${toError(error).message}`;
    return [{ field: '', code: BROKEN_RULE_CODE, severity: 'error', message }];
  }
}

function fromIssue({ field, message }: ValidationIssue): LintDiagnostic {
  return { field, code: DEFINITION_CODE, severity: 'error', message };
}

function rank(severity: LintSeverity): number {
  return LINT_SEVERITIES.indexOf(severity);
}

function checkCodes(rules: readonly LintRule[]): void {
  const seen = new Set([DEFINITION_CODE, BROKEN_RULE_CODE]);
  for (const { code } of rules) {
    const message = /^[A-Z]\d{3,6}$/.test(code)
      ? `${code} is the code of another rule`
      : `${JSON.stringify(code)} is no code; allowed are a capital letter and 3 to 6 digits, e.g. W101`;
    if (seen.has(code) || !/^[A-Z]\d{3,6}$/.test(code))
      throw new ValidationError(`rules: ${message}`, {
        issues: [{ field: 'rules', code: 'bad_rule', message }],
      });
    seen.add(code);
  }
}
