import { describe, expect, it } from 'vitest';
import { parseCommandLine } from './cli.ts';

describe('the command line', () => {
  it.each(['start', 'migrate'] as const)('understands %s', (name) => {
    expect(parseCommandLine([name])).toEqual({ kind: 'command', name });
  });

  it.each([
    [['--help'], 'help'],
    [['start', '-h'], 'help'],
    [['-v'], 'version'],
  ])('understands %j', (args, kind) => {
    expect(parseCommandLine(args)).toEqual({ kind });
  });

  it.each([
    [[], 'no command given'],
    [['stat'], 'unknown command "stat"'],
    [['start', 'now'], '"start" takes no arguments: "now"'],
    [['start', '--port', '3'], '--port'],
  ])('refuses %j', (args, problem) => {
    const parsed = parseCommandLine(args);
    expect(parsed.kind === 'wrong' && parsed.problem).toContain(problem);
  });
});
