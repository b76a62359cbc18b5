import { inspect, format } from 'node:util';
import { serialize } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

describe('Secret', () => {
  const secret = new Secret('correct-horse-battery');

  it('gives its value only when asked', () => {
    expect(secret.reveal()).toBe('correct-horse-battery');
    const printed = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret, list: [secret] }),
      inspect(secret),
      inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
      Object.entries(secret).join(),
      format('%s %o %O %j %d', secret, secret, secret, secret, secret),
      new Error(`failed with ${String(secret)}`, { cause: secret }).stack,
      inspect(new Error('x', { cause: secret })),
      JSON.stringify(structuredClone({ secret })),
      serialize({ secret }).toString('latin1'),
      [secret].join(),
      Object.getOwnPropertyNames(secret).join(),
      JSON.stringify({ ...secret }),
    ].join('\n');
    expect(printed).not.toContain('correct');
    expect(printed).toContain('[REDACTED]');
  });

  it('matches its own value alone', () => {
    expect(secret.matches('correct-horse-battery')).toBe(true);
    expect(secret.matches('correct-horse-batterz')).toBe(false);
    expect(secret.matches('')).toBe(false);
    expect(secret.matches('correct-horse-battery ')).toBe(false);
  });
});
