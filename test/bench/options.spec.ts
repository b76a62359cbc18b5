import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from './options.ts';

const SUITES = ['engine', 'idle', 'http'];
const parse = (...args: string[]) => parseOptions(args, SUITES, ['engine', 'idle']);

describe('the command line', () => {
  it('without arguments asks for the default suites', () => {
    expect(parse()).toMatchObject({
      suites: ['engine', 'idle'],
      jobs: 20_000,
      rows: 2_000_000,
      repetitions: 5,
      peers: false,
      out: null,
    });
  });

  it('names suites once and in order', () => {
    expect(parse('http', 'engine', 'http').suites).toEqual(['http', 'engine']);
  });

  it('"all" is every suite', () => {
    expect(parse('all').suites).toEqual(SUITES);
  });

  it('takes several slot counts', () => {
    expect(parse('--slots', '10, 20').slots).toEqual([10, 20]);
  });

  it.each([
    [['walk'], /no suite "walk".*engine, idle, http, all/],
    [['--jobs', '0'], /--jobs is "0".*whole numbers/],
    [['--jobs', '1e4'], /--jobs is "1e4"/],
    [['--rows', '-1'], /--rows/],
    [['--slots', '10,,20'], /--slots is ""/],
    [['--speed', '9'], /--speed/],
  ])('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError);
    expect(() => parse(...args)).toThrow(message);
  });
});
