import { describe, expect, it } from 'vitest';
import { AUDIT_JSON_LIMIT, AUDIT_REQUEST_LIMIT, auditJson, auditRequestJson } from './redact.ts';

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

describe('what the audit log keeps of a body', () => {
  const kept = (body: unknown): unknown => JSON.parse(auditRequestJson(body) ?? 'null');

  it('is what was asked for, without what may be a secret', () => {
    const filter = { name: 'load', status: ['failed'], since: '2026-01-30T00:00:00Z' };
    expect(kept({ filter, dry_run: false, limit: 3, api_key: 's' })).toEqual({
      filter,
      dry_run: false,
      limit: 3,
      api_key: '[REDACTED]',
    });
    expect(auditRequestJson(undefined)).toBeNull();
  });

  it('has no document, whose fields it does not look into', () => {
    const omitted = (bytes: number) => ({ $omitted: { bytes, sha256: expect.any(String) as string } });
    const yaml = 'name: x\nparams: {password: s}';
    expect(kept({ yaml_content: yaml, steps: ['y'.repeat(2_000)] })).toEqual({
      yaml_content: omitted(yaml.length),
      steps: [omitted(2_000)],
    });
  });

  it('is bounded', () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `step ${n}`);
    expect((auditRequestJson({ names }) ?? '').length).toBeLessThan(200);
    expect(AUDIT_REQUEST_LIMIT).toBeLessThan(AUDIT_JSON_LIMIT);
  });
});
