import { describe, expect, it } from 'vitest';
import { admit, hostName } from './admit.ts';
import type { Admission } from './admit.ts';

const LOCAL: Admission = { allowedHosts: new Set(), keyRequired: false };
const REMOTE: Admission = { allowedHosts: new Set(['mcp.example.com']), keyRequired: true };

function head(headers: Readonly<Record<string, string>>, url = '/mcp', method = 'POST') {
  return { method, url, headers: { host: '127.0.0.1:3100', ...headers } };
}

describe('admit', () => {
  it.each(['localhost:3100', 'LOCALHOST', '127.0.0.1', '127.8.9.1:80', '[::1]:3100'])('serves %s', (host) => {
    expect(admit(head({ host }), LOCAL)).toEqual({ type: 'admitted', key: null });
  });

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'mcp.example.com',
    '',
    'a@localhost',
    '[::1',
  ])('refuses the host %j on loopback', (host) => {
    expect(admit(head({ host }), LOCAL)).toMatchObject({ type: 'refused', status: 403 });
  });

  it.each(['http://evil.example', 'http://localhost:3100', 'null'])('refuses the origin %s', (origin) => {
    expect(admit(head({ origin }), LOCAL)).toMatchObject({ type: 'refused', status: 403 });
  });

  it('serves the names it was given, to whoever has a key', () => {
    const host = 'MCP.example.com:443';
    expect(admit(head({ host, authorization: 'Bearer k-1' }), REMOTE)).toEqual({
      type: 'admitted',
      key: 'k-1',
    });
    expect(admit(head({ host }), REMOTE)).toMatchObject({ status: 401 });
    expect(admit(head({ host: 'other.example.com' }), REMOTE)).toMatchObject({ status: 403 });
  });

  it.each(['Basic abc', 'Bearer', 'Bearer a b', `Bearer ${'x'.repeat(600)}`])(
    'never takes %j for no key at all',
    (authorization) => {
      expect(admit(head({ authorization }), LOCAL)).toMatchObject({ type: 'refused', status: 401 });
    },
  );

  it('has one path and one method', () => {
    expect(admit(head({}, '/'), LOCAL)).toMatchObject({ status: 404 });
    expect(admit(head({}, '/mcp', 'GET'), LOCAL)).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });
});

describe('hostName', () => {
  it('is the name alone', () => {
    expect(['A.example:1', '[::1]:2', '::1', 'a b', undefined].map(hostName)).toEqual([
      'a.example',
      '::1',
      null,
      null,
      null,
    ]);
  });
});
