import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fittedWidths } from './fit.ts';

const ID = '01a20133-7d0b-72d3-9828-7c76425c8525';
const TIME = '2026-11-22 03:01:21Z';
const WORDS = 'the server did not answer within its time';

describe('columns on a terminal', () => {
  it('are as wide as they need where there is room', () => {
    expect(
      fittedWidths(
        [
          ['RUN', ID],
          ['CREATED', TIME],
          ['ERROR', WORDS],
        ],
        120,
      ),
    ).toEqual([36, 20, 41]);
  });

  it('have their free text shortened, the longest first; ids and times stay whole', () => {
    const columns = [
      ['RUN', ID],
      ['CREATED', TIME],
      ['ERROR', WORDS],
      ['NOTE', 'looked at it with care'],
    ];
    expect(fittedWidths(columns, 110)).toEqual([36, 20, 26, 22]);
    expect(fittedWidths(columns, 20)).toEqual([36, 20, 16, 16]);
  });

  it('fit, or nothing is left to shorten', () => {
    const cell = fc.constantFrom(ID, TIME, WORDS, 'a b', '', 'running');
    const column = fc.array(cell, { minLength: 1, maxLength: 3 }).map((cells) => ['HEAD', ...cells]);
    const run = (columns: string[][], width: number) => {
      const widths = fittedWidths(columns, width);
      const total = widths.reduce((sum, each) => sum + each, 2 * (columns.length - 1));
      for (const [index, cells] of columns.entries()) {
        const natural = Math.max(...cells.map(({ length }) => length));
        const least = cells.includes(WORDS) || cells.includes('a b') ? Math.min(natural, 16) : natural;
        expect(widths[index]).toBeLessThanOrEqual(natural);
        expect(widths[index]).toBeGreaterThanOrEqual(least);
        if (total > width) expect(widths[index]).toBe(least);
      }
    };
    fc.assert(
      fc.property(fc.array(column, { minLength: 1, maxLength: 6 }), fc.integer({ min: 10, max: 200 }), run),
    );
  });
});
