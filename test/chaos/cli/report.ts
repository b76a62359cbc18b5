/** The report as people and as programs read it. */
import type { FaultReport } from '../fault-report.ts';
import { FAULTS } from '../faults/index.ts';

type Column = readonly [title: string, value: (report: FaultReport) => string | number];

const COLUMNS: readonly Column[] = [
  ['fault', (report) => report.fault],
  ['repeats', (report) => report.repeats],
  ['runs', (report) => report.runs],
  ['completed', (report) => report.completed],
  ['dead letters', (report) => report.deadLetters],
  ['unlucky', (report) => report.unlucky],
  ['restarts', (report) => report.restarts],
  ['leases lost', (report) => report.leasesLost],
  ['handed back', (report) => report.handedBack],
  ['fenced', (report) => report.fencedWrites],
  ['repeated', (report) => report.repeatedRequests],
  ['heal s', (report) => report.healSeconds.toFixed(1)],
  ['seconds', (report) => Math.round(report.seconds)],
  ['violations', (report) => faultsFound(report)],
];

/** Violated invariants and other problems. */
export function faultsFound(report: FaultReport): number {
  return report.violations.length + report.problems.length;
}

/** A Markdown table, one line a fault. */
export function table(reports: readonly FaultReport[]): string {
  const rows = [
    COLUMNS.map(([title]) => title),
    ...reports.map((report) => COLUMNS.map(([, value]) => String(value(report)))),
  ];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head ?? []), rule, ...body.map(line)].join('\n');
}

/** What a fault did, on one line. */
export function effects(report: FaultReport): string {
  const parts = Object.entries(report.effects).map(([effect, times]) => `${effect} ${times}`);
  return `${report.fault}: ${FAULTS[report.fault].what} (${parts.join(', ')})`;
}

/** Everything that is wrong, with the rows that show it; empty when nothing is. */
export function findings(reports: readonly FaultReport[]): string {
  return reports
    .flatMap((report) => [
      ...report.problems.map((problem) => `${report.fault}: ${problem}`),
      ...report.violations.flatMap(({ invariant, count, rows }) => [
        `${report.fault}: ${invariant} is broken ${count} times; the first:`,
        ...rows.map((row) => `  ${JSON.stringify(row)}`),
      ]),
    ])
    .join('\n');
}

/** The report as JSON, snake_case. */
export function reportJson(seed: number, reports: readonly FaultReport[]): string {
  const faults = reports.map((report) => ({
    fault: report.fault,
    what: FAULTS[report.fault].what,
    repeats: report.repeats,
    runs: report.runs,
    completed: report.completed,
    dead_letters: report.deadLetters,
    unlucky: report.unlucky,
    restarts: report.restarts,
    leases_lost: report.leasesLost,
    handed_back: report.handedBack,
    fenced_writes: report.fencedWrites,
    repeated_requests: report.repeatedRequests,
    heal_seconds: report.healSeconds,
    seconds: report.seconds,
    effects: report.effects,
    violations: report.violations,
    problems: report.problems,
  }));
  return `${JSON.stringify({ seed, faults }, null, 2)}\n`;
}
