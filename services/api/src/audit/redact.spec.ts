import { describe, expect, it } from 'vitest';
import { AUDIT_JSON_LIMIT, auditJson } from './redact.ts';

describe('what the audit log keeps of a definition', () => {
  it('leaves out what may be a secret, wherever it stands', () => {
    const kept = auditJson({
      name: 'nightly',
      secret: 's',
      source: { headers: [{ Authorization: 'Bearer s' }], api_key: 's', apiKey: 's', url: 'https://a' },
      dbPassword: 's',
      token: null,
    });
    expect(JSON.parse(kept ?? '')).toEqual({
      name: 'nightly',
      secret: '[REDACTED]',
      source: {
        headers: [{ Authorization: '[REDACTED]' }],
        api_key: '[REDACTED]',
        apiKey: '[REDACTED]',
        url: 'https://a',
      },
      dbPassword: '[REDACTED]',
      token: null,
    });
  });

  it('names what is too large by size and hash', () => {
    const kept: unknown = JSON.parse(auditJson({ text: 'x'.repeat(AUDIT_JSON_LIMIT) }) ?? '');
    expect(kept).toEqual({
      $omitted: { bytes: AUDIT_JSON_LIMIT + 11, sha256: expect.any(String) as string },
    });
  });

  it('is nothing for nothing', () => expect(auditJson(undefined)).toBeNull());
});
