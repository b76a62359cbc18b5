import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeLayers, toEnvironment } from './layers.ts';

const name = fc.constantFrom('SPINE_A', 'SPINE_B', 'OTHER');
const value = fc.option(fc.constantFrom('', ' ', 'x', ' y ', 'secret:env:Z'), { nil: undefined });
const layer = fc.record({ source: fc.string(), values: fc.dictionary(name, value) });

describe('layers', () => {
  it('give each name the value of the strongest layer that says something, and its source', () => {
    fc.assert(
      fc.property(fc.array(layer, { maxLength: 6 }), (layers) => {
        const merged = mergeLayers(layers);
        for (const each of ['SPINE_A', 'SPINE_B', 'OTHER']) {
          const speaking = layers.filter(({ values }) => (values[each] ?? '').trim() !== '');
          const strongest = speaking.at(-1);
          expect(merged.get(each)).toEqual(
            strongest && { value: strongest.values[each]?.trim(), source: strongest.source },
          );
        }
      }),
    );
  });

  it('never let an empty variable hide what is below it', () => {
    const merged = mergeLayers([
      { source: '.env', values: { SPINE_LANES: 'slow' } },
      { source: 'environment', values: { SPINE_LANES: ' ' } },
    ]);
    expect(toEnvironment(merged)).toEqual({ SPINE_LANES: 'slow' });
  });
});
