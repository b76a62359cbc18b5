/** Handlers every worker has: for trying the system, for tests, and as examples of how one is written. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ErrorCategory, SpineError } from '@spine/core';
import type { HandlerRegistry } from '../registry/registry.ts';

const CATEGORIES = Object.values(ErrorCategory) as [ErrorCategory, ...ErrorCategory[]];

/** The transforms of task:transform: named, so that no user text is ever evaluated. */
const TRANSFORMS = {
  uppercase: (text: string) => text.toUpperCase(),
  lowercase: (text: string) => text.toLowerCase(),
  reverse: (text: string) => [...text].reverse().join(''),
  trim: (text: string) => text.trim(),
} as const;

function mapText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((item: unknown) => mapText(item, change));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapText(item, change)]));
  }
  return value;
}

export function registerBuiltinHandlers(registry: HandlerRegistry): HandlerRegistry {
  return registry
    .registerTask(
      'echo',
      { description: 'Returns its params.', params: z.record(z.string(), z.unknown()), tags: ['builtin'] },
      (params) => params,
    )
    .registerTask(
      'sleep',
      {
        description: 'Waits, then tells for how long; stops at once when its signal is aborted.',
        params: z.strictObject({ seconds: z.number().min(0).max(86_400) }),
        tags: ['builtin'],
      },
      async ({ seconds }, ctx) => {
        await sleep(seconds * 1000, undefined, { signal: ctx.signal });
        return { slept_seconds: seconds };
      },
    )
    .registerTask(
      'add',
      {
        description: 'Adds two numbers.',
        params: z.strictObject({ a: z.number(), b: z.number() }),
        tags: ['builtin'],
      },
      ({ a, b }) => ({ sum: a + b }),
    )
    .registerTask(
      'fail',
      {
        description: 'Fails as told, to see retries and dead letters.',
        params: z.strictObject({
          message: z.string().max(1_000).default('failed on request'),
          category: z.enum(CATEGORIES).default(ErrorCategory.INTERNAL),
          retryable: z.boolean().default(false),
        }),
        tags: ['builtin'],
      },
      ({ message, category, retryable }) => {
        throw new SpineError(message, { category, retryable });
      },
    )
    .registerTask(
      'transform',
      {
        description: 'Applies a named transform to every text in data.',
        params: z.strictObject({
          data: z.unknown(),
          transform: z.enum(
            Object.keys(TRANSFORMS) as [keyof typeof TRANSFORMS, ...(keyof typeof TRANSFORMS)[]],
          ),
        }),
        tags: ['builtin'],
      },
      ({ data, transform }) => ({ data: mapText(data, TRANSFORMS[transform]) }),
    )
    .registerOperation(
      'etl_stub',
      {
        description:
          'Extracts, transforms and loads generated records in memory, with progress; writes nothing.',
        params: z.strictObject({ records: z.int().min(0).max(1_000_000).default(100) }),
        tags: ['builtin'],
      },
      ({ records }, ctx) => {
        let loaded = 0;
        let checksum = 0;
        for (let record = 1; record <= records; record += 1) {
          if (record % 7 === 0) continue;
          loaded += 1;
          checksum = (checksum * 31 + record) % 1_000_000_007;
        }
        ctx.progress(1, `${loaded} of ${records} records loaded`);
        return { extracted: records, filtered: records - loaded, loaded, checksum };
      },
    );
}
