import { describe, expect, it } from 'vitest';
import { describeFigure, number, renderReport, renderTable } from './report.ts';

describe('numbers', () => {
  it.each([
    [12_583.4, '12,583'],
    [42.26, '42.3'],
    [1.854, '1.85'],
    [Number.NaN, '-'],
  ])('%d reads %s', (value, text) => {
    expect(number(value)).toBe(text);
  });
});

describe('a figure', () => {
  it('says whether its target is met', () => {
    const figure = { name: 'drain', value: 1.7, unit: 'x' };
    expect(describeFigure({ ...figure, target: { at: 'least', value: 1.7 } })).toBe(
      'drain: 1.70x (target >= 1.70x: met)',
    );
    expect(describeFigure({ ...figure, target: { at: 'most', value: 1.6 } })).toContain('MISSED');
  });

  it('that could not be measured meets no target', () => {
    const figure = { name: 'drain', value: Number.NaN, unit: 'x' };
    expect(describeFigure({ ...figure, target: { at: 'least', value: 1 } })).toContain('MISSED');
    expect(describeFigure({ ...figure, target: { at: 'most', value: 1 } })).toContain('MISSED');
  });
});

it('a table is Markdown with aligned columns', () => {
  const text = renderTable({
    columns: ['', 'raw'],
    rows: [
      ['drain', '1'],
      ['end to end', '12,345/s'],
    ],
  });
  expect(text.split('\n')).toEqual([
    '|            | raw      |',
    '| ---------- | -------- |',
    '| drain      | 1        |',
    '| end to end | 12,345/s |',
  ]);
});

it('a report says what it was measured on', () => {
  const text = renderReport({
    machine: {
      cores: 2,
      model: 'a CPU',
      memoryGiB: 24,
      node: '24',
      postgres: '18',
      redis: '8',
      durability: 'on/on/on',
      loadBefore: 0.1,
    },
    startedAt: '2026-01-01T00:00:00Z',
    sections: [{ suite: 'idle', title: 'Idle', tables: [], figures: [], notes: ['A note.'] }],
  });
  expect(text).toContain('on/on/on');
  expect(text).toContain('## Idle\n\nA note.');
});
