import { readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { placesOf } from './completion/tree.ts';
import { CliContext } from './frame/context.ts';
import { EXIT } from './frame/exit-codes.ts';
import { buildProgram } from './program.ts';

const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');

/** The rows of tables whose first cell looks like this, cells trimmed. */
function rows(first: RegExp): string[][] {
  return page
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter(([cell]) => cell !== undefined && first.test(cell));
}

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
const leaves = places.filter(({ commands }) => commands.length === 0);

/** The command lines of the page's blocks; of a pipe the first, and of a list each. */
const examples = [...page.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block = '']) => block.split(/\n|&&/))
  .map((line) => /^\s*spine (.*)$/.exec(line)?.[1] ?? '')
  .filter((line) => line !== '');

function commandOf(line: string) {
  return leaves.find(({ at }) => `${line} `.startsWith(`${at.trim()} `));
}

describe('docs/cli.md', () => {
  it('shows examples that are commands with their options', () => {
    const strange = examples.filter((line) => {
      const known = commandOf(line)?.options.flatMap(({ names }) => names);
      const [own = ''] = line.replaceAll(/"[^"]*"|'[^']*'/g, '').split('|');
      return (
        known === undefined || (own.match(/(?<= )--[a-z-]+/g) ?? []).some((each) => !known.includes(each))
      );
    });
    expect(strange).toEqual([]);
    expect(examples.length).toBeGreaterThan(30);
  });

  it('lists exactly the commands, with what each says of itself', () => {
    const commands = places.flatMap(({ at, commands }) =>
      commands
        .map(({ name, description }) => ({ at: `${at} ${name}`, description }))
        .filter((each) => places.some((place) => place.at === each.at && place.commands.length === 0)),
    );
    expect(new Map(rows(/^`[a-z]/).map(([name, text]) => [name, text]))).toEqual(
      new Map(commands.map(({ at, description }) => [`\`${at.trim()}\``, description])),
    );
  });

  it('lists exactly the exit codes', () => {
    const documented = rows(/^\d+$/).map(([code]) => Number(code));
    expect(documented).toEqual(Object.values(EXIT));
  });
});
