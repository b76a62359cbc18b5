/** What the suites have found, as text for the terminal and for the documentation, and as JSON. */
import type { Figure, Section, Table, Target } from './model.ts';

export interface Machine {
  readonly cores: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly node: string;
  readonly postgres: string;
  readonly redis: string;
  /** As Postgres says: fsync/synchronous_commit/full_page_writes. */
  readonly durability: string;
  /** One minute load average when the run began: what else the machine was doing. */
  readonly loadBefore: number;
}

export interface Report {
  readonly machine: Machine;
  readonly startedAt: string;
  readonly sections: readonly Section[];
}

/** Enough digits to compare, no more. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

export function meets(value: number, { at, value: wanted }: Target): boolean {
  return at === 'least' ? value >= wanted : value <= wanted;
}

export function describeFigure({ name, value, unit, target }: Figure): string {
  const text = `${name}: ${number(value)}${unit}`;
  if (target === undefined) return text;
  const wanted = `${target.at === 'least' ? '>=' : '<='} ${number(target.value)}${unit}`;
  return `${text} (target ${wanted}: ${meets(value, target) ? 'met' : 'MISSED'})`;
}

/** A Markdown table whose columns line up, which the terminal shows as well. */
export function renderTable({ columns, rows }: Table): string {
  const widths = columns.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

export function renderSection({ title, tables, figures, notes }: Section): string {
  return [
    `## ${title}`,
    ...tables.map(renderTable),
    ...(figures.length === 0 ? [] : [figures.map((figure) => `- ${describeFigure(figure)}`).join('\n')]),
    ...notes,
  ].join('\n\n');
}

export function renderReport({ machine, startedAt, sections }: Report): string {
  const { cores, model, memoryGiB, node, postgres, redis, durability, loadBefore } = machine;
  return [
    '# Benchmark',
    `${startedAt}. ${cores} cores (${model}), ${memoryGiB} GiB; Node ${node}, Postgres ${postgres}, Redis ${redis}; ` +
      `fsync/synchronous_commit/full_page_writes ${durability}; load before the run ${number(loadBefore)}.`,
    ...sections.map(renderSection),
    '',
  ].join('\n\n');
}
