import { describe, expect, it } from 'vitest';
import { decodeGates, encodeGates, gateId } from './gate.ts';
import type { Gate } from './gate.ts';

const GATES: readonly Gate[] = [
  { type: 'singleton', key: 's', from: 'spec' },
  { type: 'breaker', key: 'edgar', from: 'handler' },
  { type: 'concurrency', key: 'tenant:7', limit: 3, from: 'handler' },
  {
    type: 'rate',
    key: 'api',
    rate: { algorithm: 'token_bucket', limit: 10, perMs: 1_000, burst: 20 },
    from: 'spec',
  },
  {
    type: 'rate',
    key: 'day',
    rate: { algorithm: 'sliding_window', limit: 5, perMs: 86_400_000 },
    from: 'spec',
  },
];

describe('gates', () => {
  it('come out of a row as they went in', () => {
    const text = encodeGates(GATES);
    expect(decodeGates(JSON.parse(text ?? 'null'))).toEqual(GATES);
    expect(text).toContain('"per_ms":1000');
  });

  it('that are none are null, and null is none', () => {
    expect(encodeGates([])).toBeNull();
    expect(decodeGates(null)).toEqual([]);
  });

  it.each([
    ['another type', [{ type: 'lock', key: 'k' }]],
    ['no key', [{ type: 'singleton' }]],
    ['a limit that is none', [{ type: 'concurrency', key: 'k', limit: 0 }]],
    ['a rate that is none', [{ type: 'rate', key: 'k', limit: 1, per_ms: 0, algorithm: 'sliding_window' }]],
    ['no list', { type: 'singleton', key: 'k' }],
    ['no gate at all', [null]],
  ])('of a later release, such as %s, are not guessed at', (_, value) => {
    expect(decodeGates(value)).toBeNull();
  });

  it('of one key and several types are several', () => {
    expect(new Set(GATES.map((gate) => gateId({ ...gate, key: 'same' }))).size).toBe(4);
  });
});
