import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeVariable, VARIABLE_NAMES } from './variables.ts';

const page = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

/** The rows of the table of variables, cells trimmed. */
function documentedRows(): string[][] {
  return page
    .split('\n')
    .filter((line) => /^\| `(SPINE|OTEL)_/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('docs/configuration.md', () => {
  it('lists exactly the variables of the schema, with their defaults, formats and meanings', () => {
    const expected = VARIABLE_NAMES.map((name) => {
      const { fallback, allowed, meaning } = describeVariable(name);
      return [`\`${name}\``, fallback === null ? 'none' : `\`${fallback}\``, allowed, meaning];
    });
    expect(documentedRows()).toEqual(expected);
  });
});
