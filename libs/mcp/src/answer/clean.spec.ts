import { describe, expect, it } from 'vitest';
import { clean } from './clean.ts';

describe('clean', () => {
  it('hides a key wherever it stands, in names too', () => {
    const cleaned = clean({ log: ['used key-1 twice: key-1'], 'key-1': 1 }, ['key-1']);
    expect(cleaned).toEqual({ log: ['used [REDACTED] twice: [REDACTED]'], '[REDACTED]': 1 });
  });

  it('hides what is named like a secret', () => {
    const params = {
      api_key: 'a',
      max_tokens: 12,
      credentials: { user: 'u', deep: ['p'] },
      passed: true,
      name: 'n',
    };
    expect(clean(params, [])).toEqual({
      api_key: '[REDACTED]',
      max_tokens: 12,
      credentials: '[REDACTED]',
      passed: true,
      name: 'n',
    });
  });

  it('shows what nobody would see', () => {
    const tagged = `note${String.fromCodePoint(0xe0064, 0xe006f)}\u202etxt\u200b`;
    expect(clean({ tagged }, [])).toEqual({ tagged: 'note\\u{e0064}\\u{e006f}\\u{202e}txt\\u{200b}' });
    const plain = 'line\nÜber 日本 👍';
    expect(clean(plain, [])).toBe(plain);
  });
});
