/** How wide the columns of a table are on a terminal. Pure. */

/** Between two columns. */
const GAP = 2;
/** What is left of free text at the least. */
const LEAST = 16;
const INSTANT = /^\d{4}-\d{2}-\d{2} /;

/** Words with spaces between them, which half of still tells something; an id or a time that is cut is of no use. */
function isFreeText(cell: string): boolean {
  return cell.includes(' ') && !INSTANT.test(cell);
}

const lengthOf = (text: string): number => [...text].length;

/**
 * Widths of columns that fit, where free text is shortened, the longest first. What is still too wide is left to the
 * terminal to wrap.
 * @param columns the cells of each column, its head first
 * @param width of the terminal, in characters
 */
export function fittedWidths(columns: readonly (readonly string[])[], width: number): number[] {
  const widths = columns.map((cells) => Math.max(0, ...cells.map(lengthOf)));
  const least = columns.map(([head = '', ...cells], index) =>
    cells.some(isFreeText) ? Math.max(LEAST, lengthOf(head)) : (widths[index] ?? 0),
  );
  let excess = widths.reduce((sum, each) => sum + each, GAP * (columns.length - 1)) - width;
  while (excess > 0) {
    let widest = -1;
    for (const [index, each] of widths.entries()) {
      if (each > (least[index] ?? 0) && each > (widths[widest] ?? 0)) widest = index;
    }
    const found = widths[widest];
    if (found === undefined) break;
    widths[widest] = found - 1;
    excess -= 1;
  }
  return widths;
}
