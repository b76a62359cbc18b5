/**
 * B1: two plain functions become a workflow.
 *
 * They know nothing of workflows. Each gets one object with everything that is known by name: the run's params, and what
 * the steps before it have made. `shout` finds the `message` that `greet` has answered.
 */
import { z } from 'zod';
import { workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';

const NAME = 'examples.b1_hello_world';
const TITLE = 'Hello World Workflow';

const greeting = z.object({ name: z.string().min(1).max(200) });

function greet(values: object) {
  const { name } = checked(greeting, values);
  return { message: `Hello, ${name}!` };
}

function shout({ message }: { readonly message: string }) {
  return { shouted: message.toUpperCase(), letters: message.replace(/\P{L}/gu, '').length };
}

/** `(await helloWorld().run({ name: 'Spine' })).outputs['shout']` is `{ shouted: 'HELLO, SPINE!', letters: 10 }`. */
export function helloWorld(): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example', 'playground'] })
    .defaults({ name: 'World' })
    .step('greet', greet)
    .step('shout', shout)
    .build();
}

export const b1HelloWorld: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'basic',
    description: 'Two plain functions as the steps of a workflow; values are handed on by name.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { name: 'Spine' } },
    tags: ['workflow', 'builder', 'playground'],
  },
  register: (to) => {
    registerManaged(to, helloWorld());
  },
};
