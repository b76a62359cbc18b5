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

describe('docs/cli.md', () => {
  it('lists exactly the commands, with what each says of itself', () => {
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
