import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStorableText, toStorableText, truncateText } from './text.ts';

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Text with NUL characters, pairs and lone surrogates in it. */
const wildText = fc
  .array(fc.constantFrom('a', '\0', '\uD83D', '\uDE00', '😀', '\uFFFD'), { maxLength: 12 })
  .map((parts) => parts.join(''));

describe('storable text', () => {
  it.each(['\0', 'a\0b', '\uD83D', 'a\uDE00', '\uDE00\uD83D'])('refuses %j', (text) => {
    expect(isStorableText(text)).toBe(false);
  });

  it.each(['', 'plain', '😀', '\uFFFD', '\u0001\n'])('accepts %j', (text) => {
    expect(isStorableText(text)).toBe(true);
    expect(toStorableText(text)).toBe(text);
  });

  it('puts U+FFFD in place of each bad unit and keeps the rest', () => {
    expect(toStorableText('a\0b\uD83Dc😀')).toBe('a\uFFFDb\uFFFDc😀');
  });

  it('always ends in storable text of the same length', () => {
    fc.assert(
      fc.property(wildText, (text) => {
        const made = toStorableText(text);
        expect(isStorableText(made)).toBe(true);
        expect(LONE_SURROGATE.test(made) || made.includes('\0')).toBe(false);
        expect(made).toHaveLength(text.length);
      }),
    );
  });
});

describe('truncateText', () => {
  it('leaves text that fits alone and marks text that was cut', () => {
    expect(truncateText('abcd', 4)).toBe('abcd');
    expect(truncateText('abcde', 4)).toBe('abc…');
    expect(truncateText('abcde', 1)).toBe('…');
  });

  it('does not cut a pair in two', () => {
    expect(truncateText('ab😀cd', 4)).toBe('ab…');
    expect(truncateText('ab😀cd', 5)).toBe('ab😀…');
  });

  it('never exceeds the limit and never makes text unstorable', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '😀') }),
        fc.integer({ min: 1, max: 20 }),
        (text, limit) => {
          const cut = truncateText(text, limit);
          expect(cut.length).toBeLessThanOrEqual(limit);
          expect(LONE_SURROGATE.test(cut)).toBe(false);
        },
      ),
    );
  });
});
