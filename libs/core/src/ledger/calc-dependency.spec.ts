import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDependencyCycle } from './calc-dependency.ts';

const edge = (calc: string, needs: string) => ({
  calcDomain: 'd',
  calcOperation: calc,
  dependsOnDomain: 'd',
  dependsOnOperation: needs,
});

describe('dependencies of calculations', () => {
  it('may meet again without being a circle', () => {
    expect(findDependencyCycle([edge('a', 'b'), edge('a', 'c'), edge('b', 'e'), edge('c', 'e')])).toBeNull();
  });

  it('that lead back are shown as a chain', () => {
    expect(findDependencyCycle([edge('x', 'a'), edge('a', 'b'), edge('b', 'c'), edge('c', 'a')])).toEqual([
      'd:a',
      'd:b',
      'd:c',
      'd:a',
    ]);
    expect(findDependencyCycle([edge('a', 'a')])).toEqual(['d:a', 'd:a']);
  });

  it('of the same operation name in two domains are two nodes', () => {
    expect(
      findDependencyCycle([
        { calcDomain: 'x', calcOperation: 'a', dependsOnDomain: 'y', dependsOnOperation: 'a' },
      ]),
    ).toBeNull();
  });

  it('have no circle exactly when they can be put in an order', () => {
    const node = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(node, node), { maxLength: 14 }), (pairs) => {
        const edges = pairs.map(([calc, needs]) => edge(`${calc}`, `${needs}`));
        // Kahn: take away what depends on nothing that is left, as long as there is any.
        let left = pairs;
        for (let before = -1; before !== left.length;) {
          before = left.length;
          left = left.filter(([, needs]) => left.some(([calc]) => calc === needs));
        }
        const cycle = findDependencyCycle(edges);
        expect(cycle === null).toBe(left.length === 0);
        if (cycle === null) return;
        expect(cycle[0]).toBe(cycle.at(-1));
        for (const [index, name] of cycle.slice(0, -1).entries()) {
          expect(
            edges.some(
              (e) => `d:${e.calcOperation}` === name && `d:${e.dependsOnOperation}` === cycle[index + 1],
            ),
          ).toBe(true);
        }
      }),
    );
  });

  it('may form a chain of any length', () => {
    const chain = Array.from({ length: 50_000 }, (_, n) => edge(`${n}`, `${n + 1}`));
    expect(findDependencyCycle(chain)).toBeNull();
  });
});
