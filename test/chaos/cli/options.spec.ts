import { describe, expect, it } from 'vitest';
import { ConfigError } from '@spine/core';
import { FAULT_NAMES } from '../faults/index.ts';
import { chaosOptions } from './options.ts';

describe('the options of npm run chaos', () => {
  it('default to all faults, two repeats, and a seed by the clock', () => {
    const options = chaosOptions([], 1_763_700_000_123);
    expect(options.faults).toEqual(FAULT_NAMES);
    expect(options.plan).toMatchObject({
      repeats: 2,
      runs: 400,
      timing: { faultMs: 5_000, length: 'short' },
    });
    expect(options.plan.seed).toBe(1_763_700_000_123 % (2 ** 32 - 1));
    expect(options.jsonFile).toBeNull();
  });

  it('are more in the full run, and what is given wins', () => {
    expect(chaosOptions(['--full'], 0).plan).toMatchObject({
      repeats: 20,
      runs: 4_000,
      timing: { length: 'full' },
    });
    const options = chaosOptions(
      [
        '--full',
        '--seed',
        '7',
        '--faults',
        'zombie, redis-flush',
        '--repeats',
        '3',
        '--runs',
        '30',
        '--json',
        'x',
      ],
      0,
    );
    expect(options).toMatchObject({
      faults: ['zombie', 'redis-flush'],
      jsonFile: 'x',
      plan: { seed: 7, repeats: 3, runs: 30 },
    });
  });

  it('take workflows in a storm in place of the faults', () => {
    expect(chaosOptions([], 0).workflows).toBeNull();
    expect(chaosOptions(['--workflows'], 5).workflows).toMatchObject({ seed: 5, runs: 1_000 });
    const few = chaosOptions(['--workflows', '--runs', '10', '--seed', '7'], 0).workflows;
    expect(few).toMatchObject({ seed: 7, runs: 10 });
  });

  it.each([
    [
      ['--faults', 'worker-kill,earthquake'],
      '--faults: given "earthquake"; allowed, separated by commas: worker-kill',
    ],
    [['--seed', '-1'], 'argument is ambiguous'],
    [['--seed', 'x'], '--seed: given "x"; allowed: a whole number from 0 to 4294967295'],
    [['--repeats', '0'], '--repeats: given "0"; allowed: a whole number from 1'],
    [['--runs', '1.5'], '--runs: given "1.5"'],
    [['--fast'], "Unknown option '--fast'"],
    [['zombie'], 'zombie'],
  ])('refuse %j', (args, message) => {
    const refused = expect(() => chaosOptions(args, 0));
    refused.toThrow(ConfigError);
    expect(() => chaosOptions(args, 0)).toThrow(message);
  });
});
