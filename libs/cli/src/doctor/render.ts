/** A diagnosis as it is shown. */
import type { Paint, Style } from '../frame/table.ts';
import { manyLines, oneLine } from '../frame/printable.ts';
import { counted, SEVERITIES, worstOf } from './finding.ts';
import type { Finding, Severity } from './finding.ts';
import { remedyOf } from './fix/remedy.ts';
import type { Fix, Repaired } from './fix/repair.ts';

const MARKS: Readonly<Record<Severity, { readonly mark: string; readonly style: Style }>> = {
  ok: { mark: '✓', style: 'green' },
  info: { mark: '·', style: 'blue' },
  warning: { mark: '!', style: 'yellow' },
  error: { mark: '✗', style: 'red' },
};

const countsOf = (findings: readonly Finding[]): Record<Severity, number> => ({
  ok: 0,
  info: 0,
  warning: 0,
  error: 0,
  ...Object.fromEntries(
    SEVERITIES.map((each) => [each, findings.filter(({ severity }) => severity === each).length]),
  ),
});

/** For programs. */
export function reportJson(findings: readonly Finding[]): object {
  return {
    status: worstOf(findings),
    counts: countsOf(findings),
    findings: findings.map((finding) => ({ ...finding, remedy: remedyOf(finding) })),
  };
}

/** The same, after fixes. */
export function repairedJson({ fixes, findings }: Repaired): object {
  return { ...reportJson(findings), fixes };
}

const OUTCOMES: Readonly<Record<Fix['outcome'], { readonly mark: string; readonly style: Style }>> = {
  done: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  declined: { mark: '·', style: 'dim' },
};

/** One fix, on one line. */
export function fixText({ outcome, message }: Fix, paint: Paint): string {
  const { mark, style } = OUTCOMES[outcome];
  return `${paint(style, mark)} ${outcome === 'failed' ? 'not fixed: ' : ''}${oneLine(message)}`;
}

/** What is left after fixes, for people: what is not fine, and the sum of all. */
export function leftText(findings: readonly Finding[], paint: Paint): string {
  const left = findings.filter(({ severity }) => severity !== 'ok');
  return `${left.length === 0 ? '' : `${findingLines(left, paint).join('\n')}\n\n`}${sumText(findings)}\n`;
}

/** For people: by subject, each finding with its mark and what to do; then the sum. */
export function reportText(findings: readonly Finding[], paint: Paint): string {
  return `${findingLines(findings, paint).join('\n')}\n\n${sumText(findings)}\n`;
}

function findingLines(findings: readonly Finding[], paint: Paint): string[] {
  const lines: string[] = [];
  for (const [index, finding] of findings.entries()) {
    const { subject, severity, message, fix } = finding;
    if (subject !== findings[index - 1]?.subject) lines.push(paint('bold', subject));
    const { mark, style } = MARKS[severity];
    const [first = '', ...more] = manyLines(message).split('\n');
    lines.push(`  ${paint(style, mark)} ${first}`, ...more.map((line) => `    ${line}`));
    if (fix === null) continue;
    const itself = remedyOf(finding) === null ? '' : ' (or spine doctor --fix)';
    lines.push(`    ${paint('dim', 'fix:')} ${manyLines(fix).replaceAll('\n', ' ')}${itself}`);
  }
  return lines;
}

function sumText(findings: readonly Finding[]): string {
  const { error, warning, info, ok } = countsOf(findings);
  return `${counted(error, 'error')}, ${counted(warning, 'warning')}, ${counted(info, 'note')}, ${ok} fine`;
}
