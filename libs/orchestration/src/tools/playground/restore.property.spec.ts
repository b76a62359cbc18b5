/** What was done in a playground, done once more from its moves, leads to the same place; no handler is called for it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepResult } from '../../workflow/step-result.ts';
import type { WorkflowInput } from '../../workflow/model.ts';
import { HandlerTable } from '../run/handlers.ts';
import { playgroundMovesFromJson } from './moves.ts';
import { WorkflowPlayground } from './playground.ts';

const workflow: WorkflowInput = {
  name: 'restored',
  defaults: { n: 1 },
  policy: { mode: 'parallel', onFailure: { kind: 'lambda', handler: 'count' } },
  steps: [
    { kind: 'lambda', name: 'flaky', handler: 'flaky', retry: { maxRetries: 2 } },
    {
      kind: 'choice',
      name: 'size',
      routes: [{ condition: 'params.n > 1', thenStep: 'each' }],
      elseStep: 'other',
    },
    {
      kind: 'map',
      name: 'each',
      items: [3, 4],
      iterator: [
        { name: 'one', kind: 'lambda', handler: 'count', params: { n: '{{ params.n }}' } },
        { name: 'two', kind: 'lambda', handler: 'sleepy', params: { text: 'n={{ stages.one }}' } },
      ],
    },
    { kind: 'lambda', name: 'other', handler: 'count', compensate: { kind: 'lambda', handler: 'count' } },
    { kind: 'approval', name: 'ok', approvers: ['ada'], dependsOn: ['size'] },
    { kind: 'wait', name: 'go', wait: { signal: 'go' }, dependsOn: ['ok'] },
    { kind: 'workflow', name: 'child', workflow: 'some.child', dependsOn: ['go', 'flaky'] },
  ],
};

/** Answers differently each time, so that calling it again would be seen. */
function counting() {
  let calls = 0;
  const table = new HandlerTable()
    // Keys in no order, and text made of them.
    .add('lambda', 'count', ({ n }) => StepResult.ok({ zeta: (calls += 1), alpha: n ?? null, '2': -0 }))
    .add('lambda', 'sleepy', async (_params, { sleep }) => {
      await sleep(90);
      return StepResult.withNextStep('', {}, { contextUpdates: { calls: (calls += 1) } });
    })
    .add('lambda', 'flaky', (_params, { command }) =>
      command.attempt < 3
        ? StepResult.fail(`failure ${(calls += 1)}`, { retryable: true })
        : StepResult.ok({ calls: (calls += 1) }),
    );
  return { table, calls: () => calls };
}

type Act = (playground: WorkflowPlayground) => unknown;
const acts: Readonly<Record<string, Act>> = {
  step: (playground) => playground.step(),
  stepBack: (playground) => playground.stepBack(),
  setOne: (playground) => playground.setParam('n', 1),
  setTwo: (playground) => playground.setParams({ n: 2, zz: { b: 1, a: 2 } }),
  approve: (playground) => playground.decide('ok', true, 'ada', 'fine'),
  reject: (playground) => playground.decide('ok', false, 'ada'),
  approveWrongly: (playground) => playground.decide('ok', true, 'bob'),
  signal: (playground) => playground.signal('go', { word: 'now' }),
  runAll: (playground) => playground.runAll((taken) => taken < 3),
  reset: (playground) => playground.reset(),
};

describe('a playground', () => {
  it('is restored from its moves, as they are read back', async () => {
    const names = fc.array(fc.constantFrom('step', 'step', 'step', ...Object.keys(acts)), { maxLength: 25 });
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(names, async (chosen) => {
        const { table, calls } = counting();
        const options = {
          executor: table,
          answer: (work: { readonly type: string }) =>
            work.type === 'start_child' ? StepResult.ok({ done: true }) : undefined,
        };
        const playground = new WorkflowPlayground(options);
        playground.load(workflow, { n: 1 });
        for (const name of chosen) await acts[name]?.(playground);
        const before = calls();
        const again = new WorkflowPlayground(options);
        again.restore(
          workflow,
          { n: 1 },
          playgroundMovesFromJson(JSON.parse(JSON.stringify(playground.moves))),
        );
        expect(calls()).toBe(before);
        expect(again.hash).toBe(playground.hash);
        expect(JSON.stringify(again.history)).toBe(JSON.stringify(playground.history));
        expect(again.peek()).toEqual(playground.peek());
        expect(again.context).toEqual(playground.context);
        for (const { type } of playground.moves) seen.add(type);
        seen.add(playground.status);
      }),
      { numRuns: 150, seed: 7 },
    );
    // Every kind of move was met.
    const met = ['decide', 'failed', 'look', 'params', 'running', 'signal', 'timer', 'work'];
    expect(met.filter((each) => !seen.has(each))).toEqual([]);
  });

  it('keeps nothing of a second look', async () => {
    const playground = new WorkflowPlayground({ executor: new HandlerTable() });
    playground.load({ name: 'waits', steps: [{ kind: 'wait', name: 'go', wait: { signal: 'go' } }] });
    for (let look = 0; look < 3; look += 1)
      expect(await playground.step()).toMatchObject({ type: 'waiting', index: 1 });
    expect(playground.moves).toEqual([{ type: 'look' }]);
  });

  it('is not restored from moves that do not fit', async () => {
    const { table } = counting();
    const playground = new WorkflowPlayground({ executor: table });
    playground.load(workflow);
    await playground.step();
    const { moves } = playground;
    const other = { ...workflow, steps: workflow.steps.slice(3, 4) };
    expect(() => new WorkflowPlayground({ executor: table }).restore(other, {}, moves)).toThrow(
      'move 1 (work) no longer fits the run',
    );
    for (const move of [
      { type: 'timer' as const, timer: 'flaky#1:retry' },
      { type: 'look' as const },
      { type: 'decide' as const, step: 'ok', approved: true, by: 'bob' },
    ])
      expect(() => new WorkflowPlayground({ executor: table }).restore(workflow, {}, [move])).toThrow(
        /no longer fits/,
      );
    expect(() => playgroundMovesFromJson([{ type: 'work', unit: 'a' }])).toThrow(/^moves\[0\]/);
  });
});
