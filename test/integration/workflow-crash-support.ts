/** A workflow of seven steps with a map, and what its runs answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HandlerRegistry, registerBuiltinHandlers } from '@spine/execution';
import { WorkflowRegistry } from '@spine/orchestration';
import type { WorkflowFunction, WorkflowInput } from '@spine/orchestration';

export const CRASH_LANE = 'crashing';

export const SEVEN_STEPS: WorkflowInput = {
  name: 'test.seven_steps',
  policy: { mode: 'parallel' },
  steps: [
    { kind: 'lambda', name: 'source', handler: 'spread', params: { n: '{{ params.n }}' } },
    {
      kind: 'lambda',
      name: 'left',
      handler: 'add',
      dependsOn: ['source'],
      params: { a: '{{ params.n }}', b: 1 },
    },
    {
      kind: 'lambda',
      name: 'right',
      handler: 'add',
      dependsOn: ['source'],
      params: { a: '{{ params.n }}', b: 2 },
    },
    {
      kind: 'map',
      name: 'each',
      dependsOn: ['source'],
      items: '{{ steps.source.output.items }}',
      maxConcurrency: 3,
      iterator: [
        { kind: 'lambda', name: 'add', handler: 'add', params: { a: '{{ item }}', b: '{{ index }}' } },
      ],
    },
    {
      kind: 'lambda',
      name: 'joined',
      handler: 'add',
      dependsOn: ['left', 'right'],
      params: { a: '{{ steps.left.output.sum }}', b: '{{ steps.right.output.sum }}' },
    },
    {
      kind: 'workflow',
      name: 'below',
      workflow: 'test.below',
      dependsOn: ['left'],
      params: { n: '{{ steps.left.output.sum }}' },
    },
    {
      kind: 'lambda',
      name: 'last',
      handler: 'add',
      dependsOn: ['joined', 'each', 'below'],
      params: { a: '{{ steps.joined.output.sum }}', b: '{{ steps.below.output.doubled }}' },
    },
  ],
  outputs: { last: '{{ steps.last.output.sum }}', each: '{{ steps.each.output.items }}' },
};

export const BELOW: WorkflowInput = {
  name: 'test.below',
  steps: [
    { kind: 'wait', name: 'moment', wait: { durationSeconds: 0.02 } },
    { kind: 'lambda', name: 'double', handler: 'add', params: { a: '{{ params.n }}', b: '{{ params.n }}' } },
  ],
  outputs: { doubled: '{{ steps.double.output.sum }}' },
};

const ITEMS = 5;

/** What a run of {@link SEVEN_STEPS} answers. */
export function answerOf(n: number): unknown {
  return {
    last: n + 1 + (n + 2) + 2 * (n + 1),
    each: Array.from({ length: ITEMS }, (_, index) => ({ sum: n + index + index })),
  };
}

/** @param workMs how long each call works. */
export function crashWorkflows(workMs: number): WorkflowRegistry {
  const add: WorkflowFunction = async ({ a, b }) => {
    await sleep(workMs);
    return { sum: Number(a) + Number(b) };
  };
  return new WorkflowRegistry()
    .registerFunction('add', add)
    .registerFunction('spread', async ({ n }) => {
      await sleep(workMs);
      return { items: Array.from({ length: ITEMS }, (_, index) => Number(n) + index) };
    })
    .registerWorkflow(BELOW)
    .registerWorkflow(SEVEN_STEPS);
}

export function crashRegistry(workMs: number): HandlerRegistry {
  return crashWorkflows(workMs).registerHandlers(registerBuiltinHandlers(new HandlerRegistry()));
}
