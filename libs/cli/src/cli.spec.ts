import { describe, expect, it } from 'vitest';
import { parseCommandLine } from './cli.ts';

describe('the command line', () => {
  it.each(['start', 'migrate'] as const)('understands %s', (name) => {
    expect(parseCommandLine([name])).toEqual({ kind: 'command', name });
  });

  it('understands config, for the launcher unless a role is named', () => {
    const command = { action: 'show', role: 'launcher', json: false };
    expect(parseCommandLine(['config', 'show'])).toEqual({ kind: 'config', command });
    expect(parseCommandLine(['config', 'check', '--role', 'api', '--json'])).toEqual({
      kind: 'config',
      command: { action: 'check', role: 'api', json: true },
    });
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
    [['start', '--json'], '--json belongs to "config"'],
    [['config'], '"config" takes show or check'],
    [['config', 'set'], 'not "set"'],
    [['config', 'show', 'all'], 'not "show all"'],
    [['config', 'check', '--role', 'boss'], 'not "boss"'],
  ])('refuses %j', (args, problem) => {
    const parsed = parseCommandLine(args);
    expect(parsed.kind === 'wrong' && parsed.problem).toContain(problem);
  });
});
