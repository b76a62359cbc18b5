import { describe, expect, it } from 'vitest';
import { durationCell, keyCell, shareCell, timeCell } from './cells.ts';
import { barText } from './notices.ts';
import { jsonText, manyLines, oneLine, shortened } from './printable.ts';
import { fieldsText, NO_PAINT, PAINT, tableText } from './table.ts';
import { frameText } from './watch.ts';

const ESCAPE = '\u001b';
const ATTACK = `a${ESCAPE}[2J\u009b31m\nb\u202e`;

describe('text of others on a terminal', () => {
  it('shows what a terminal would obey', () => {
    expect(oneLine(ATTACK)).toBe('a\\u001b[2J\\u009b31m b\\u202e');
    expect(manyLines(ATTACK)).toBe('a\\u001b[2J\\u009b31m\nb\\u202e');
  });

  it('stays the same value as JSON', () => {
    for (const indent of [undefined, 2]) {
      const text = jsonText({ a: ATTACK }, indent);
      expect(JSON.parse(text)).toEqual({ a: ATTACK });
      for (const obeyed of [ESCAPE, '\u009b', '\u202e']) expect(text).not.toContain(obeyed);
    }
  });

  it('is cut between characters', () => {
    expect(shortened('🙂🙂🙂', 3)).toBe('🙂🙂🙂');
    expect(shortened('🙂🙂🙂🙂', 3)).toBe('🙂🙂…');
  });
});

interface Row {
  readonly name: string;
  readonly count: number | null;
}
const ROWS: readonly Row[] = [
  { name: 'short', count: 7 },
  { name: 'x'.repeat(70), count: null },
];

describe('tables', () => {
  it('are fitted to a terminal, and to nothing else', () => {
    const columns = [
      { head: 'NAME', cell: ({ name }: Row) => name },
      { head: 'WHY', cell: () => 'because of this and because of that', style: () => 'red' as const },
    ];
    const wide = tableText(columns, ROWS.slice(0, 1), NO_PAINT);
    expect(wide).toBe('NAME   WHY\nshort  because of this and because of that\n');
    expect(tableText(columns, ROWS.slice(0, 1), NO_PAINT, 30)).toBe(
      'NAME   WHY\nshort  because of this and be…\n',
    );
    // A colour takes no room.
    expect(tableText(columns, ROWS.slice(0, 1), PAINT, 30)).toContain('because of this and be…\u001b[39m');
  });

  it('have columns as wide as they need, and no cell of others that breaks them', () => {
    const columns = [
      { head: 'NAME', cell: ({ name }: Row) => name },
      { head: 'COUNT', cell: ({ count }: Row) => count, align: 'right' as const },
    ];
    const lines = tableText(columns, [...ROWS, { name: ATTACK, count: 1 }], NO_PAINT).split('\n');
    expect(lines).toEqual([
      `NAME${' '.repeat(58)}COUNT`,
      `short${' '.repeat(61)}7`,
      `${'x'.repeat(59)}…${' '.repeat(6)}-`,
      `a\\u001b[2J\\u009b31m b\\u202e${' '.repeat(39)}1`,
      '',
    ]);
  });

  it('have colours only where they are asked for', () => {
    const columns = [{ head: 'NAME', cell: ({ name }: Row) => name, style: () => 'red' as const }];
    expect(tableText(columns, ROWS.slice(0, 1), NO_PAINT)).not.toContain(ESCAPE);
    expect(tableText(columns, ROWS.slice(0, 1), PAINT)).toContain(`${ESCAPE}[31mshort`);
  });

  it('show fields, long ones below their name', () => {
    const text = fieldsText(
      { id: 'x', tags: ['a', 'b'], none: null, params: { text: 'y'.repeat(60) } },
      NO_PAINT,
    );
    expect(text.split('\n')).toEqual([
      'id      x',
      'tags    a, b',
      'none    -',
      'params',
      '  {',
      `    "text": "${'y'.repeat(60)}"`,
      '  }',
      '',
    ]);
  });
});

describe('cells', () => {
  it.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [59_999, '59.9 s'],
    [245_000, '4 m 05 s'],
    [7_380_000, '2 h 03 m'],
    [273_600_000, '3 d 04 h'],
  ])('of %i ms', (ms, text) => expect(durationCell(ms)).toBe(text));

  it('of times, keys and shares', () => {
    expect(timeCell('2026-01-02T03:04:05.678Z')).toBe('2026-01-02 03:04:05Z');
    expect(timeCell(null)).toBeNull();
    expect(keyCell({ tier: 'OTC', n: 1 })).toBe('tier=OTC n=1');
    expect(keyCell({})).toBe('{}');
    // Nothing that failed looks like all.
    expect(shareCell(0.99999)).toBe('99.9 %');
  });
});

it('a bar is never full before the end', () => {
  expect(barText(0)).toBe(`[${'-'.repeat(24)}]   0 %`);
  expect(barText(0.999)).toContain(' 99 %');
  expect(barText(7)).toBe(`[${'#'.repeat(24)}] 100 %`);
});

it('a frame is one write over the last, and never scrolls', () => {
  const frame = frameText('1\n2\n3\n4\n', 3, false);
  expect(frame).toBe(`${ESCAPE}[H1${ESCAPE}[K\n2${ESCAPE}[K\n${ESCAPE}[J`);
  expect(frameText('1\n', 3, true).startsWith(`${ESCAPE}[2J${ESCAPE}[H`)).toBe(true);
});
