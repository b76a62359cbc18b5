import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from './persistent-map.ts';

const keys = fc.constantFrom('a', 'b', 'c', 'd', '__proto__');

describe('a persistent map', () => {
  it('keeps every version as it was, whichever is changed and read', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(20), fc.array(fc.tuple(keys, fc.nat()), { maxLength: 3 })), {
          maxLength: 20,
        }),
        (changes) => {
          const versions = [new PersistentMap<number>()];
          const expected = [new Map<string, number>()];
          for (const [which, entries] of changes) {
            const at = which % versions.length;
            const base = versions[at];
            const model = expected[at];
            if (base === undefined || model === undefined) continue;
            versions.push(base.with(new Map(entries)));
            expected.push(new Map([...model, ...entries]));
          }
          versions.forEach((version, at) => {
            expect(new Map(version.entries())).toEqual(expected[at]);
            for (const key of ['a', 'b', 'c', 'd', '__proto__', 'x'])
              expect(version.get(key)).toBe(expected[at]?.get(key));
          });
        },
      ),
    );
  });
});
