import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../workflow/define.ts';
import { StepResult } from '../workflow/step-result.ts';
import { WorkflowContext } from './context.ts';
import { InMemoryWorkflows } from './in-memory.ts';

describe('a workflow context', () => {
  it('is a snapshot: what is changed is another one', () => {
    const context = WorkflowContext.of({ tier: 'T1' }, { environment: 'dev' });
    const later = context
      .withParams({ tier: 'T2' })
      .withOutput('load', { rows: 3 })
      .withContext({ batch: 'B' });
    expect([later.getParam('tier'), later.getOutput('load', 'rows'), later.context]).toEqual([
      'T2',
      3,
      { batch: 'B' },
    ]);
    expect([context.getParam('tier'), context.hasOutput('load'), context.context]).toEqual(['T1', false, {}]);
    expect([context.getParam('none', 7), context.getOutput('load', 'rows', 0)]).toEqual([7, 0]);
    expect([context.getParam('constructor'), later.getOutput('load', '__proto__')]).toEqual([null, null]);
  });

  it('of a run shows what has completed when an attempt begins', async () => {
    const seen: unknown[] = [];
    const engine = new InMemoryWorkflows({
      executor: {
        run: (_, __, { state }) => {
          const context = WorkflowContext.at(state);
          seen.push([
            context.runId,
            context.getParam('n'),
            context.hasOutput('b'),
            context.getOutput('a', 'x', 0),
          ]);
          return StepResult.ok({ x: 1 });
        },
      },
    });
    const steps = ['a', 'b'].map((name) => ({ kind: 'lambda', name, handler: 'h' }) as const);
    await engine.toEnd(engine.start(defineWorkflow({ name: 'test.flow', steps }), { n: 5 }));
    expect(seen).toEqual([
      ['run-1', 5, false, 0],
      ['run-1', 5, false, 1],
    ]);
  });
});
