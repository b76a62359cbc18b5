/**
 * M4: a workflow that fails is debugged step by step, by a script over the playground.
 *
 * 1. Step through it: the third step fails. 2. Peek at what would come next, which calls nothing. 3. Go back before the
 * step whose param was wrong; what came before it stays. 4. Set the param and go on: only what lies behind runs again.
 *
 * States are values, so that going back is taking an earlier one. `examples.m4_debug_pipeline` is registered as a workflow
 * too: run as it is, it fails in the same step for the same reason, because both plan with the same function.
 */
import { z } from 'zod';
import type { JsonObject } from '@spine/core';
import { WorkflowPlayground } from '@spine/orchestration';
import type { PlaygroundSnapshot } from '@spine/orchestration';
import { registerManaged, SAFE } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { debugParams, debugPipeline } from './m4-debug-pipeline.ts';

const NAME = 'examples.m4_playground_debugging';
const TITLE = 'Playground-Driven Debugging';

const sessionParams = z.strictObject({
  ...debugParams.shape,
  /** What `factor` should have been. */
  fixed_factor: debugParams.shape.factor,
});

const told = ({ unit, result, run }: PlaygroundSnapshot) => ({
  step: unit,
  status: result?.status ?? null,
  output: result?.status === 'ok' ? result.output : null,
  error: result?.status === 'fail' ? result.error.message : null,
  run,
});

/** What the session shows, move by move. Calls the functions of the pipeline and nothing else. */
export async function debugSession({
  fixed_factor,
  ...params
}: z.output<typeof sessionParams>): Promise<JsonObject> {
  const { definition, handlers } = debugPipeline();
  const playground = new WorkflowPlayground({ executor: handlers });
  playground.load(definition, params);
  const first: PlaygroundSnapshot[] = [];
  for (let index = 0; index < definition.steps.length; index += 1) first.push(await playground.step());
  const failed = playground.peek();

  // Back to before `transform`, the step that was given the wrong factor.
  playground.stepBack();
  playground.stepBack();
  playground.setParam('factor', fixed_factor);
  const next = playground.peek();
  const kept = Object.keys(playground.context.outputs);
  const again = await playground.runAll();
  const end = playground.peek();
  return {
    first: first.map(told),
    run_then: failed.type === 'ended' ? failed.status : failed.type,
    rewound_to: next.type === 'work' ? next.unit : next.type,
    kept,
    again: again.map(told),
    run_now: end.type === 'ended' ? end.status : end.type,
    outputs: end.type === 'ended' ? end.outputs : {},
    steps_run: first.length + again.length,
  };
}

export const m4PlaygroundDebugging: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'mind-blowing',
    description:
      'A script steps through a failing workflow, rewinds it, mends a param and runs only the rest again.',
    source: new URL(import.meta.url),
    run: {
      kind: 'operation',
      name: NAME,
      params: { records: [1, 2, 3, 4, 5], factor: 2, max_value: 8, fixed_factor: 1 },
    },
    tags: ['operation', 'playground', 'debugging'],
  },
  register: (to) => {
    to.handlers.registerOperation(NAME, { description: TITLE, params: sessionParams, ...SAFE }, debugSession);
    registerManaged(to, debugPipeline());
  },
};
