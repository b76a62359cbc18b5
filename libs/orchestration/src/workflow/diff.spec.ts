import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffWorkflows } from './diff.ts';
import type { Step, WorkflowInput } from './model.ts';

const lambda = (name: string, more: Partial<Extract<Step, { kind: 'lambda' }>> = {}): Step => ({
  kind: 'lambda',
  name,
  handler: 'say',
  ...more,
});
const flow = (steps: readonly Step[], more: Partial<WorkflowInput> = {}): WorkflowInput => ({
  name: 'test.diff',
  steps,
  ...more,
});

describe('the difference between two versions', () => {
  it('names steps that were added, removed and changed, with their fields', () => {
    const before = flow([lambda('a'), lambda('b', { timeoutSeconds: 5 }), lambda('c')], { tags: ['x'] });
    const after = flow([lambda('a'), lambda('b', { params: { n: 1 } }), lambda('d')], {
      tags: ['x'],
      policy: { onError: 'continue' },
    });
    expect(diffWorkflows(before, after)).toEqual({
      added: ['d'],
      removed: ['c'],
      changed: [
        {
          step: 'b',
          fields: [
            { field: 'params', before: null, after: { n: 1 } },
            { field: 'timeout_seconds', before: 5, after: null },
          ],
        },
      ],
      reordered: false,
      fields: [{ field: 'policy', before: null, after: { on_error: 'continue' } }],
      isEqual: false,
    });
  });

  it('sees another order of the same steps', () => {
    const diff = diffWorkflows(flow([lambda('a'), lambda('b')]), flow([lambda('b'), lambda('a')]));
    expect(diff).toMatchObject({ added: [], removed: [], changed: [], reordered: true, isEqual: false });
  });

  it('is nothing where params only have their keys in another order', () => {
    const diff = diffWorkflows(
      flow([lambda('a', { params: { x: 1, y: 2 } })]),
      flow([lambda('a', { params: { y: 2, x: 1 } })]),
    );
    expect(diff.isEqual).toBe(true);
  });

  it('turned round has the same steps on the other side', () => {
    const steps = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    const anyFlow = fc
      .tuple(steps, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 }))
      .map(([names, numbers]) =>
        flow(names.map((name, index) => lambda(name, { timeoutSeconds: numbers[index] ?? 1 }))),
      );
    fc.assert(
      fc.property(anyFlow, anyFlow, (one, two) => {
        const [there, back] = [diffWorkflows(one, two), diffWorkflows(two, one)];
        expect([...there.added].sort()).toEqual([...back.removed].sort());
        expect([...there.removed].sort()).toEqual([...back.added].sort());
        expect(there.reordered).toBe(back.reordered);
        expect(there.changed.map(({ step }) => step).sort()).toEqual(
          back.changed.map(({ step }) => step).sort(),
        );
        expect(diffWorkflows(one, one).isEqual).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
