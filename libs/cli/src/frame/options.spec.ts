import { describe, expect, it } from 'vitest';
import { instantOf, laterInstant, Options, spanMs } from './options.ts';
import { UsageError } from './usage-error.ts';

const NOW = Date.parse('2026-01-02T03:04:05.000Z');

describe('spans and instants', () => {
  it.each([
    ['90', 90_000],
    ['1ms', 1],
    ['30s', 30_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('reads %s', (text, ms) => expect(spanMs('--timeout', text)).toBe(ms));

  it.each(['', '0', '-1s', '1.5h', '2 h', '1w', '999999999d', '1e3s'])('refuses %j as a span', (text) => {
    expect(() => spanMs('--timeout', text)).toThrow(`--timeout takes a time span such as 30s`);
  });

  it.each([
    ['2026-01-01', '2026-01-01T00:00:00.000Z'],
    ['2026-01-01T12:00:00+02:00', '2026-01-01T10:00:00.000Z'],
    ['2h', '2026-01-02T01:04:05.000Z'],
    ['365d', '2025-01-02T03:04:05.000Z'],
  ])('reads %s', (text, instant) => expect(instantOf('--since', text, NOW)).toBe(instant));

  it('counts a span onwards where a time to come is asked for', () => {
    expect(laterInstant('--after', '90d', NOW)).toBe('2026-04-02T03:04:05.000Z');
    expect(laterInstant('--after', '2026-02-01', NOW)).toBe('2026-02-01T00:00:00.000Z');
  });

  it.each(['yesterday', '2026-13-01', '2026-01-02T03:04:05', '01/02/2026'])('refuses %j', (text) => {
    expect(() => instantOf('--since', text, NOW)).toThrow(UsageError);
  });
});

describe('the options of a call', () => {
  const options = new Options({ runId: 'x', limit: '7', status: ['failed', 'x'], json: true, kind: 'task' });

  it('have their types', () => {
    expect(options.text('runId')).toBe('x');
    expect(options.whole('limit', 1, 10)).toBe(7);
    expect(options.flag('json')).toBe(true);
    expect(options.flag('yes')).toBe(false);
    expect(options.choice('kind', ['task', 'step'])).toBe('task');
    expect(options.texts('status')).toEqual(['failed', 'x']);
    expect(options.text('gone')).toBeUndefined();
  });

  it('say what is wrong by name', () => {
    expect(() => options.whole('limit', 1, 5)).toThrow('--limit takes a whole number from 1 to 5, not "7"');
    expect(() => options.choices('status', ['failed'])).toThrow('--status takes one of failed, not "x"');
    expect(() => options.choice('runId', ['a'])).toThrow('--run-id takes one of a, not "x"');
    expect(() => options.required('toFile')).toThrow('--to-file is required');
  });
});
