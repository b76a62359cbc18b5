import { describe, expect, it } from 'vitest';
import { listsTag } from './etag.ts';

describe('If-None-Match', () => {
  it.each([
    ['"3"', true],
    ['W/"3"', true],
    ['"1", "3"', true],
    ['"1",W/"3"', true],
    [' * ', true],
    ['"33"', false],
    ['3', false],
    ['"1", "2"', false],
    ['', false],
    ['w/"3"', false],
    [',,,', false],
  ])('%s names the tag "3": %s', (header, names) => {
    expect(listsTag(header, '"3"')).toBe(names);
  });
});
