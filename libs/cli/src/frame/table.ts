/** Lists and single things as text. */
import { styleText } from 'node:util';
import Table from 'cli-table3';
import { fittedWidths } from './fit.ts';
import { jsonText, manyLines, oneLine, shortened } from './printable.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'blue';
/** Colours a text, or leaves it where there are no colours. */
export type Paint = (style: Style, text: string) => string;

export const NO_PAINT: Paint = (_style, text) => text;
/** For who has found out already that colours are wanted. */
export const PAINT: Paint = (style, text) => styleText(style, text, { validateStream: false });

export interface Column<T> {
  readonly head: string;
  /** Null is shown as a dash. */
  readonly cell: (row: T) => string | number | boolean | null | undefined;
  readonly style?: (row: T) => Style | undefined;
  readonly align?: 'left' | 'right';
  /** Characters; default 60. */
  readonly max?: number;
}

const MAX_CELL = 60;

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

function withoutTrailing(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function cellText<T>({ cell, max }: Column<T>, row: T): string {
  const value = cell(row);
  return shortened(value === null || value === undefined ? '-' : oneLine(String(value)), max ?? MAX_CELL);
}

/**
 * Rows under their heads, in columns that are as wide as they need. Ends with a line break.
 * @param width of a terminal that they are fitted to; null for none
 */
export function tableText<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  paint: Paint,
  width: number | null = null,
): string {
  const cells = columns.map((column) => rows.map((row) => cellText(column, row)));
  const widths =
    width === null
      ? null
      : fittedWidths(
          columns.map(({ head }, at) => [head, ...(cells[at] ?? [])]),
          width,
        );
  const table = new Table({
    head: columns.map(({ head }) => paint('bold', head)),
    chars: NO_BORDERS,
    colAligns: columns.map(({ align = 'left' }) => align),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const [index, row] of rows.entries()) {
    table.push(
      columns.map(({ style }, at) => {
        const cell = shortened(cells[at]?.[index] ?? '', widths?.[at] ?? Number.POSITIVE_INFINITY);
        const chosen = style?.(row);
        return chosen === undefined ? cell : paint(chosen, cell);
      }),
    );
  }
  return `${withoutTrailing(table.toString())}\n`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'string') return manyLines(value);
  if (Array.isArray(value) && value.every((each) => typeof each !== 'object')) {
    return value.length === 0 ? '-' : value.map((each) => oneLine(String(each))).join(', ');
  }
  if (isEmpty(value)) return '-';
  const short = jsonText(value);
  return short.length <= MAX_CELL ? short : jsonText(value, 2);
}

/** A thing's fields, one a line; what has many lines is indented below its name. Ends with a line break. */
export function fieldsText(fields: Readonly<Record<string, unknown>>, paint: Paint): string {
  const entries = Object.entries(fields);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  const indent = ' '.repeat(2);
  return entries
    .map(([name, value]) => {
      const text = valueText(value);
      const label = paint('bold', oneLine(name));
      const pad = ' '.repeat(width - name.length);
      return text.includes('\n')
        ? `${label}\n${text
            .split('\n')
            .map((line) => `${indent}${line}`)
            .join('\n')}\n`
        : `${label}${pad}  ${text}\n`;
    })
    .join('');
}
