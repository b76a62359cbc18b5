/** Bodies and answers of the endpoints of examples. */
import { z } from 'zod';
import { EXAMPLE_LEVELS } from '@spine/catalog';
import type { Example } from '@spine/catalog';
import { LIMITS } from '@spine/execution';
import { offsetPaging } from '../http/paging.ts';
import { once, text } from '../http/query-values.ts';

export const exampleJson = z
  .object({
    name: z.string(),
    title: z.string(),
    level: z.enum(EXAMPLE_LEVELS),
    description: z.string(),
    tags: z.array(z.string()),
    run: z
      .object({
        kind: z.enum(['workflow', 'operation']),
        name: z.string(),
        params: z.record(z.string(), z.unknown()),
      })
      .describe('What POST /examples/run submits.'),
    live: z.boolean().describe('Whether a live worker executes it now; that is all it needs.'),
  })
  .meta({ id: 'Example' });
export type ExampleJson = z.infer<typeof exampleJson>;

export function toExampleJson({ source: _, ...example }: Example, live: boolean): ExampleJson {
  const { kind, name, params } = example.run;
  return { ...example, tags: [...example.tags], run: { kind, name, params: { ...params } }, live };
}

export const exampleListQuery = z.strictObject({
  ...offsetPaging,
  level: once(z.enum(EXAMPLE_LEVELS)).optional(),
  tag: text(100).optional(),
});
export type ExampleListQuery = z.infer<typeof exampleListQuery>;

export const sourceJson = z
  .object({
    name: z.string(),
    path: z.string().describe('In the package of examples.'),
    language: z.enum(['typescript', 'javascript']),
    source: z.string(),
  })
  .meta({ id: 'ExampleSource' });
export type SourceJson = z.infer<typeof sourceJson>;

export const exampleRunBody = z
  .strictObject({
    name: z.string().min(1).max(200),
    params: z
      .record(z.string(), z.json())
      .default({})
      .describe('They take the place of the example’s own of the same names.'),
    idempotency_key: z.string().min(1).max(LIMITS.keyLength).optional(),
  })
  .meta({ id: 'ExampleRun' });
export type ExampleRunBody = z.infer<typeof exampleRunBody>;
