/** The report of workflows in a storm, as people and as programs read it. */
import type { WorkflowReport } from './run-workflows.ts';

export function isBroken({ violations, problems, effects }: WorkflowReport): boolean {
  return violations.length + problems.length > 0 || Object.keys(effects).length === 0;
}

function listed(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`)
    .join(', ');
}

/** What the storm did, what came of the work, and everything that is wrong with the rows that show it. */
export function workflowText(report: WorkflowReport): string {
  const { seed, counts, failedAttempts, effects, stormSeconds, healSeconds, violations, problems } = report;
  return [
    `${isBroken(report) ? '✗' : '✓'} seed ${seed}: storm of ${stormSeconds.toFixed(0)} s, healed in ${healSeconds.toFixed(1)} s`,
    `  ${listed(effects) || 'nothing was broken: nothing is proven'}`,
    `  ${listed(counts)}`,
    `  attempts made again after: ${listed(failedAttempts) || 'none'}`,
    ...problems.map((problem) => `  ${problem}`),
    ...violations.flatMap(({ invariant, count, rows }) => [
      `  ${invariant} is broken ${count} times; the first:`,
      ...rows.map((row) => `    ${JSON.stringify(row)}`),
    ]),
  ].join('\n');
}

/** The report as JSON, snake_case. */
export function workflowJson({
  failedAttempts,
  stormSeconds,
  healSeconds,
  ...report
}: WorkflowReport): string {
  const times = { storm_seconds: stormSeconds, heal_seconds: healSeconds };
  return `${JSON.stringify({ ...report, failed_attempts: failedAttempts, ...times }, null, 2)}\n`;
}
