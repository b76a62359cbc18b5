import fc from 'fast-check';
import { sha256Hex } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { RowHashes } from './row-hashes.ts';

const CAPACITY = 20;

describe('RowHashes', () => {
  it('knows what a set knows, however the hashes begin, and after it was cleared', () => {
    // Few beginnings, so that most hashes want the slot of another one.
    const hash = fc
      .tuple(fc.constantFrom('00000000', '00000027', 'ffffffff', ''), fc.nat({ max: 15 }))
      .map(([start, end]) => `${start}${sha256Hex(String(end))}`.slice(0, 64));
    fc.assert(
      fc.property(fc.array(fc.array(hash, { maxLength: 60 }), { maxLength: 4 }), (rounds) => {
        const hashes = new RowHashes(64);
        for (const round of rounds) {
          const model = new Set<string>();
          for (const each of round) {
            expect(hashes.add(each)).toBe(!model.has(each));
            model.add(each);
            expect(hashes.size).toBe(model.size);
          }
          hashes.clear();
          expect(hashes.size).toBe(0);
        }
      }),
    );
  });

  it('takes as many as it has room for, and says so when there is none', () => {
    const hashes = new RowHashes(CAPACITY);
    for (let each = 0; each < CAPACITY; each += 1) expect(hashes.add(sha256Hex(String(each)))).toBe(true);
    expect(hashes.add(sha256Hex('0'))).toBe(false);
    expect(() => hashes.add(sha256Hex('more'))).toThrow(RangeError);
  });
});
