import { describe, expect, it } from 'vitest';
import { hideSecretFields, secretTexts } from './secret-names.ts';

describe('hideSecretFields', () => {
  it('hides what may be secret by its name, at any depth', () => {
    const given = {
      user: 'feed',
      password: 'hunter2',
      steps: [{ api_key: ['a', 'b'], url: 'https://x' }],
      auth: { Authorization: { scheme: 'Bearer', value: 'x' } },
    };
    expect(hideSecretFields(given)).toEqual({
      user: 'feed',
      password: '[REDACTED]',
      steps: [{ api_key: '[REDACTED]', url: 'https://x' }],
      auth: { Authorization: '[REDACTED]' },
    });
    expect(given.password).toBe('hunter2');
    expect(secretTexts(given)).toEqual(['hunter2', 'a', 'b', 'Bearer', 'x']);
  });

  it('keeps what cannot be one, and copies nothing where nothing is hidden', () => {
    const given = { max_tokens: 100, password: null, token: '', secret: false, deep: [{ a: [1] }] };
    expect(hideSecretFields(given)).toBe(given);
    expect(secretTexts(given)).toEqual([]);
    for (const value of ['password', 7, null, undefined]) expect(hideSecretFields(value)).toBe(value);
  });
});
