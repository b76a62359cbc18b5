import { describe, expect, it } from 'vitest';
import { copyLine } from './copy.ts';

describe('copyLine', () => {
  it.each([
    [['a', 'b c', 7, null], 'a\tb c\t7\t\\N\n'],
    [['', null], '\t\\N\n'],
    [['\\N', '\\.'], '\\\\N\t\\\\.\n'],
    [['a\tb\nc\rd\\'], 'a\\tb\\nc\\rd\\\\\n'],
    [['ü|"\''], 'ü|"\'\n'],
    [[], '\n'],
  ])('writes %j', (values, line) => {
    expect(copyLine(values)).toBe(line);
  });
});
