import { describe, expect, it } from 'vitest';
import { MIN_LENGTH, Scrubber } from './scrub.ts';

const VALUE = 'p"ss wörd/1&2=3';

function scrubber(...values: readonly string[]): Scrubber {
  const made = new Scrubber();
  for (const value of values) made.add(value);
  return made;
}

describe('the scrubber', () => {
  it('finds a secret as it is, in JSON and in a URL', () => {
    const found = scrubber(VALUE);
    expect(found.text(`a ${VALUE} b ${VALUE}`)).toBe('a [REDACTED] b [REDACTED]');
    const json = JSON.stringify({ deep: [{ key: `x${VALUE}` }] });
    expect(JSON.parse(found.text(json))).toEqual({ deep: [{ key: 'x[REDACTED]' }] });
    expect(found.text(`https://h/?k=${encodeURIComponent(VALUE)}`)).toBe('https://h/?k=[REDACTED]');
    expect(found.text('nothing of it')).toBe('nothing of it');
  });

  it('leaves what is too short to be told from ordinary text', () => {
    const short = 'x'.repeat(MIN_LENGTH - 1);
    expect(scrubber(short).text(`a ${short}`)).toBe(`a ${short}`);
  });

  it('finds one that holds another, whichever was known first', () => {
    for (const values of [
      ['abcdefgh', 'abcdefgh-more'],
      ['abcdefgh-more', 'abcdefgh'],
    ]) {
      expect(scrubber(...values).text('k=abcdefgh-more')).not.toContain('abcdefgh');
    }
  });

  it('takes what a cut has left of one', () => {
    const found = scrubber(VALUE);
    const message = `${'m'.repeat(3_990)}${VALUE.slice(0, 10)}`;
    const end = found.end({
      type: 'threw',
      error: { message, type: 'Error', category: 'UNKNOWN', retryable: true, retryAfterSeconds: null },
    });
    expect(end).toMatchObject({ type: 'threw', error: { message: `${'m'.repeat(3_990)}[REDACTED]` } });
  });

  it('cleans every kind of end', () => {
    const found = scrubber(VALUE);
    const reason = `waits for ${VALUE}`;
    for (const end of [
      found.end({ type: 'returned', result: JSON.stringify({ VALUE }) }),
      found.end({ type: 'deferred', delayMs: 1, reason }),
      found.end({ type: 'interrupted', reason }),
    ]) {
      expect(JSON.stringify(end)).toContain('[REDACTED]');
      expect(JSON.stringify(end)).not.toContain('ss w');
    }
    expect(found.end({ type: 'returned', result: null })).toEqual({ type: 'returned', result: null });
  });

  it('shares what everybody has to know, and keeps the rest', () => {
    const everybody = new Scrubber();
    const [one, other] = [new Scrubber(everybody), new Scrubber(everybody)];
    one.share('shared-key');
    one.add('private-key');
    expect(other.text('shared-key private-key')).toBe('[REDACTED] private-key');
    expect(one.text('shared-key private-key')).toBe('[REDACTED] [REDACTED]');
    expect(other.end({ type: 'returned', result: '"shared-key"' })).toEqual({
      type: 'returned',
      result: '"[REDACTED]"',
    });
  });

  it('remembers the latest, and no more than it may', () => {
    const found = new Scrubber();
    for (let n = 0; n < 1_001; n += 1) found.add(`secret-${n}.`);
    expect(found.text('secret-0. secret-1. secret-1000.')).toBe('secret-0. [REDACTED] [REDACTED]');
  });
});
