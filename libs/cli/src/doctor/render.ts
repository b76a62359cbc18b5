/** A diagnosis as it is shown. */
import type { Paint, Style } from '../frame/table.ts';
import { manyLines } from '../frame/printable.ts';
import { counted, SEVERITIES, worstOf } from './finding.ts';
import type { Finding, Severity } from './finding.ts';

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
  return { status: worstOf(findings), counts: countsOf(findings), findings };
}

/** For people: by subject, each finding with its mark and what to do; then the sum. */
export function reportText(findings: readonly Finding[], paint: Paint): string {
  const lines: string[] = [];
  for (const [index, { subject, severity, message, fix }] of findings.entries()) {
    if (subject !== findings[index - 1]?.subject) lines.push(paint('bold', subject));
    const { mark, style } = MARKS[severity];
    const [first = '', ...more] = manyLines(message).split('\n');
    lines.push(`  ${paint(style, mark)} ${first}`, ...more.map((line) => `    ${line}`));
    if (fix !== null) lines.push(`    ${paint('dim', 'fix:')} ${manyLines(fix).replaceAll('\n', ' ')}`);
  }
  const { error, warning, info, ok } = countsOf(findings);
  return `${lines.join('\n')}\n\n${counted(error, 'error')}, ${counted(warning, 'warning')}, ${counted(info, 'note')}, ${ok} fine\n`;
}
