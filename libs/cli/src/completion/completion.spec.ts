import { execFileSync, spawnSync } from 'node:child_process';
import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { CliContext } from '../frame/context.ts';
import { buildProgram } from '../program.ts';
import { completionScript } from './scripts.ts';
import { placesOf } from './tree.ts';

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const program = buildProgram(
  new CliContext({
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    cwd: '/',
    interrupts: () => new AbortController().signal,
  }),
);
const places = placesOf(program);

/** What bash offers for the last word of each line, asked in one process. */
function offered(lines: readonly (readonly string[])[]): string[][] {
  const asks = lines.map((words) => `ask ${words.map((word) => `'${word}'`).join(' ')}`).join('\n');
  const script = `${completionScript('bash', places)}
ask() { COMP_WORDS=(spine "$@"); COMP_CWORD=$#; _spine; echo "[\${COMPREPLY[*]}]"; }
${asks}`;
  const answer = execFileSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  return answer
    .trimEnd()
    .split('\n')
    .map((line) => line.slice(1, -1).split(' '));
}

/** What zsh offers, each with what is said of it; its own completion functions print what they are given. */
function zshOffered(lines: readonly (readonly string[])[]): string[][] {
  const asks = lines.map((words) => `ask ${words.map((word) => `'${word}'`).join(' ')}`).join('\n');
  const script = `compdef() { : }
_files() { print -n ' FILES' }
_describe() { local each; for each in "\${(@P)2}"; do print -rn -- " \${each%%:*}"; done }
${completionScript('zsh', places)}
ask() { words=(spine "$@"); CURRENT=$#words; _spine; print }
${asks}`;
  const answer = execFileSync('zsh', ['-f', '-c', script], { encoding: 'utf8' });
  return answer
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.trim().split(' '));
}

/** What fish offers for each line. */
function fishOffered(lines: readonly string[]): string[][] {
  const asks = lines.map((line) => `echo (complete -C '${line}' | string split -f 1 \\t)`).join('\n');
  const answer = execFileSync('fish', ['--no-config', '-c', `${completionScript('fish', places)}\n${asks}`], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  return answer
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => line.split(' '));
}

const isThere = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

describe('completion', () => {
  it.runIf(isThere('zsh'))('of zsh offers commands, options, values and files by where the line is', () => {
    const [first, started, values, open, file] = zshOffered([
      [''],
      ['run', 's'],
      ['run', 'list', '--kind', ''],
      ['run', 'list', '--name', ''],
      ['stats', '--key-file', ''],
    ]);
    expect(first).toEqual(expect.arrayContaining(['start', 'run', 'dlq', 'workflow', '--json']));
    expect(started).toEqual(expect.arrayContaining(['submit', 'list', 'wait', '--json']));
    expect(values).toEqual(['task', 'operation', 'workflow', 'step']);
    expect({ open, file }).toEqual({ open: [''], file: ['FILES'] });
  });

  it.runIf(isThere('fish'))('of fish offers commands, options, values and files by where the line is', () => {
    const [first, started, values, option, open, file] = fishOffered([
      'spine ',
      'spine run su',
      'spine run list --kind ',
      'spine run list --kind task --corr',
      'spine run list --name ',
      'spine stats --key-file comp',
    ]);
    expect(first).toEqual(expect.arrayContaining(['start', 'run', 'dlq', 'workflow']));
    expect(first).not.toContain('scripts.ts');
    expect(started).toEqual(['submit']);
    expect(values).toEqual(['operation', 'step', 'task', 'workflow']);
    expect(option).toEqual(['--correlation-id']);
    expect({ open, file }).toEqual({ open: [''], file: ['completion.spec.ts'] });
  });

  it('of bash offers commands, options and values by where the line is', () => {
    const [first, started, values, repeated, global, shell] = offered([
      [''],
      ['run', 's'],
      ['run', 'list', '--kind', ''],
      ['run', 'list', '--kind', 'task', '--li'],
      ['--json', 'run', 'ca'],
      ['completion', 'z'],
    ]);
    expect(first).toEqual(expect.arrayContaining(['start', 'run', 'dlq', 'workflow', '--json']));
    expect(started).toEqual(['submit']);
    expect(values).toEqual(['task', 'operation', 'workflow', 'step']);
    expect(repeated).toEqual(['--limit']);
    expect(global).toEqual(['cancel']);
    expect(shell).toEqual(['zsh']);
  });

  it('of bash leaves a value that nobody can name to the shell: a file, mostly', () => {
    expect(
      offered([
        ['run', 'list', '--name', ''],
        ['stats', '--key-file', ''],
      ]),
    ).toEqual([[''], ['']]);
  });

  it.each(['zsh', 'fish'] as const)('of %s knows every command and option', (shell) => {
    const script = completionScript(shell, places);
    for (const { at, commands, options } of places) {
      expect(script).toContain(at === '' ? `''` : `'${at}'`);
      for (const { name } of commands) expect(script).toContain(name);
      for (const { names } of options) {
        for (const name of names)
          expect(script).toContain(shell === 'zsh' ? `'${name}:` : name.replace(/^--?/, ' '));
      }
    }
  });

  it.each([
    ['bash', ["'it'\\''s'"]],
    ['zsh', ["'x:it'\\''s \\ done'", "'it'\\''s'"]],
    ['fish', ["'it\\'s \\\\ done'", "'it\\'s'"]],
  ] as const)('of %s quotes what is said of a command', (shell, expected) => {
    const script = completionScript(shell, [
      { at: '', commands: [{ name: 'x', description: "it's \\ done" }], options: [], values: ["it's"] },
    ]);
    for (const each of expected.slice(shell === 'bash' ? 1 : 0)) expect(script).toContain(each);
  });
});
