/**
 * A workflow of seven steps with a map and a sub-workflow, whose steps leave a mark in the database: by the transaction that
 * their attempt's fence decides about, or by the one that completes their run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { HandlerContext } from '@spine/execution';
import { defineWorkflow, InMemoryWorkflows, StepResult, WorkflowRegistry } from '@spine/orchestration';
import type { Step, WorkflowFunction, WorkflowInput } from '@spine/orchestration';
import type { JournalWriter } from '../worker/journal.ts';

export const SEVEN_STEPS = 'chaos.seven_steps';
export const BELOW = 'chaos.below';
const ITEMS = 5;
/** Long enough to be hit, short enough that a thousand runs end. */
const WORK_MS = 60;

/** Three lost workers in a row end a step's run; what its policy makes of that is another attempt. */
const RETRY = { strategy: 'constant', maxRetries: 20, baseDelaySeconds: 0.2, jitter: false } as const;

/** @param left the mark: `published` with the end of the step, or `written` before it. */
function sum(
  name: string,
  dependsOn: readonly string[],
  left: 'written' | 'published',
  a: string,
  b: string | number,
): Step {
  return { kind: 'lambda', name, handler: `chaos.${left}`, dependsOn, params: { a, b }, retry: RETRY };
}

export const WORKFLOWS: readonly WorkflowInput[] = [
  {
    name: BELOW,
    steps: [
      { kind: 'wait', name: 'moment', wait: { durationSeconds: 0.3 } },
      sum('double', [], 'published', '{{ params.n }}', '{{ params.n }}'),
    ],
    outputs: { doubled: '{{ steps.double.output.sum }}' },
  },
  {
    name: SEVEN_STEPS,
    policy: { mode: 'parallel' },
    steps: [
      {
        kind: 'lambda',
        name: 'source',
        handler: 'chaos.spread',
        params: { n: '{{ params.n }}' },
        retry: RETRY,
      },
      sum('left', ['source'], 'written', '{{ params.n }}', 1),
      sum('right', ['source'], 'published', '{{ params.n }}', 2),
      {
        kind: 'map',
        name: 'each',
        dependsOn: ['source'],
        items: '{{ steps.source.output.items }}',
        maxConcurrency: 3,
        iterator: [
          {
            kind: 'lambda',
            name: 'add',
            handler: 'chaos.written',
            params: { a: '{{ item }}', b: '{{ index }}' },
            retry: RETRY,
          },
        ],
      },
      sum(
        'joined',
        ['left', 'right'],
        'published',
        '{{ steps.left.output.sum }}',
        '{{ steps.right.output.sum }}',
      ),
      {
        kind: 'workflow',
        name: 'below',
        workflow: BELOW,
        dependsOn: ['left'],
        params: { n: '{{ steps.left.output.sum }}' },
      },
      sum(
        'last',
        ['joined', 'each', 'below'],
        'written',
        '{{ steps.joined.output.sum }}',
        '{{ steps.below.output.doubled }}',
      ),
    ],
    outputs: { last: '{{ steps.last.output.sum }}', each: '{{ steps.each.output.items }}' },
  },
];

/** Units of work of a run, by its workflow: steps with a handler, items, sub-workflows. */
export const UNITS: Readonly<Record<string, number>> = { [SEVEN_STEPS]: 5 + ITEMS + 1, [BELOW]: 1 };

const add = ({ a, b }: Readonly<Record<string, unknown>>) => ({ sum: Number(a) + Number(b) });
const spread = ({ n }: Readonly<Record<string, unknown>>) => ({
  items: Array.from({ length: ITEMS }, (_, index) => Number(n) + index),
});

/** The mark of a step: nothing in its table keeps a second one out. */
const mark = ({ run }: HandlerContext, left: string) =>
  sql`INSERT INTO chaos.marks (run_id, epoch, mark) VALUES (${run.runId}, ${run.epoch}, ${left})`;

/** For the workers of the harness. */
export function chaosWorkflows(journal: JournalWriter): WorkflowRegistry {
  const working =
    (end: WorkflowFunction): WorkflowFunction =>
    async (params, ctx) => {
      journal.started(ctx.run.runId, ctx.run.epoch);
      await sleep(WORK_MS, undefined, { signal: ctx.signal });
      return end(params, ctx);
    };
  const registry = new WorkflowRegistry()
    .registerFunction('chaos.spread', working(spread))
    .registerFunction(
      'chaos.written',
      working(async (params, ctx) => {
        await ctx.transaction((trx) => mark(ctx, 'written').execute(trx));
        return add(params);
      }),
    )
    .registerFunction(
      'chaos.published',
      working((params, ctx) =>
        ctx.publish(async ({ trx }) => {
          await mark(ctx, 'published').execute(trx);
          return add(params);
        }),
      ),
    );
  for (const workflow of WORKFLOWS) registry.registerWorkflow(workflow);
  return registry;
}

/** What a run answers when nothing breaks: the same plan, in this process. */
export async function resultWithoutFaults(n: number): Promise<unknown> {
  const definitions = new Map(WORKFLOWS.map((workflow) => [workflow.name, defineWorkflow(workflow)]));
  const engine = new InMemoryWorkflows({
    executor: {
      run: (handler, params) => StepResult.ok(handler === 'chaos.spread' ? spread(params) : add(params)),
    },
    workflow: (name) => definitions.get(name),
  });
  const definition = definitions.get(SEVEN_STEPS);
  if (definition === undefined) throw new RangeError(`there is no ${SEVEN_STEPS}`);
  const { outputs } = await engine.toEnd(engine.start(definition, { n }));
  return outputs;
}
