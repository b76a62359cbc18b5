import { describe, expect, it } from 'vitest';
import { namesLoopback } from './host-check.ts';

describe('a Host header', () => {
  it.each(['localhost', 'LocalHost:3000', '127.0.0.1', '127.1.2.3:65535', '[::1]', '[::1]:80'])(
    'that names this machine: %s',
    (host) => expect(namesLoopback(host)).toBe(true),
  );

  it.each([
    undefined,
    '',
    ' ',
    ':3000',
    '::1',
    '[]',
    '[::1',
    '[localhost]',
    'localhost.',
    'localhost:',
    'localhost:http',
    'localhost:123456',
    'localhost, evil.example',
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '0.0.0.0',
    '10.0.0.1',
    '[::]',
    '[fe80::1]',
    '2130706433',
    '0x7f.1',
  ])('that does not: %j', (host) => expect(namesLoopback(host)).toBe(false));
});
