/** Handlers that behave as badly as a fault needs. Each writes down that it was called before it does anything else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { HandlerContext, HandlerRegistry } from '@spine/execution';
import type { JournalWriter } from './journal.ts';

const MEGABYTE = 1024 * 1024;

/** What a result may be made of: each has broken a store somewhere. */
export const ODD_RESULTS = ['nul', 'lone_surrogate', 'cycle', 'bigint', 'deep'] as const;
export type OddResult = (typeof ODD_RESULTS)[number];

function oddResult(kind: OddResult): unknown {
  switch (kind) {
    case 'nul':
      return { text: 'a\u0000b' };
    case 'lone_surrogate':
      return { text: 'a\ud800b' };
    case 'cycle': {
      const result: Record<string, unknown> = {};
      result['self'] = result;
      return result;
    }
    case 'bigint':
      return { count: 10n };
    case 'deep':
      return JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`) as unknown;
  }
}

function blockFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

/** Fills the heap until the process ends. */
function fillMemory(): never {
  const kept: number[][] = [];
  for (;;) kept.push(new Array<number>(MEGABYTE).fill(kept.length));
}

/** Goes on after its time-out, and then tries to write. */
async function ignoreAbort(ms: number, ctx: HandlerContext, journal: JournalWriter): Promise<void> {
  await sleep(ms);
  const { runId, epoch } = ctx.run;
  const outcome = await ctx.event('late_write').then(
    () => 'accepted' as const,
    () => 'refused' as const,
  );
  journal.wroteLate(runId, epoch, outcome);
}

/** Registers every `chaos.*` handler. */
export function registerChaosHandlers(registry: HandlerRegistry, journal: JournalWriter): HandlerRegistry {
  const milliseconds = z.strictObject({ ms: z.int().min(0).max(60_000) });
  const nothing = z.strictObject({});
  const noted = (ctx: HandlerContext): void => journal.started(ctx.run.runId, ctx.run.epoch);

  return registry
    .registerTask(
      'chaos.work',
      { description: 'Works for a while, and stops when it is told to.', params: milliseconds },
      async ({ ms }, ctx) => {
        noted(ctx);
        if (ms > 0) await sleep(ms, undefined, { signal: ctx.signal });
        return { worked_ms: ms };
      },
    )
    .registerTask(
      'chaos.block',
      { description: 'Blocks the event loop of its worker in its first attempt.', params: milliseconds },
      ({ ms }, ctx) => {
        noted(ctx);
        if (ctx.run.attempt === 1) blockFor(ms);
        return { attempt: ctx.run.attempt };
      },
    )
    .registerTask(
      'chaos.exit',
      { description: 'Ends its worker, every time.', params: nothing },
      (_, ctx) => {
        noted(ctx);
        process.exit(1);
      },
    )
    .registerTask(
      'chaos.grow',
      {
        description: 'Uses up the memory of its worker in its first attempts.',
        params: z.strictObject({ attempts: z.int().min(1).max(100) }),
      },
      ({ attempts }, ctx) => {
        noted(ctx);
        if (ctx.run.attempt <= attempts) fillMemory();
        return { attempt: ctx.run.attempt };
      },
    )
    .registerTask(
      'chaos.stubborn',
      { description: 'Ignores its signal, and writes after its end.', params: milliseconds },
      async ({ ms }, ctx) => {
        noted(ctx);
        await ignoreAbort(ms, ctx, journal);
        return { finished: true };
      },
    )
    .registerTask(
      'chaos.large',
      {
        description: 'Returns a result of so many bytes of JSON.',
        params: z.strictObject({
          result_bytes: z
            .int()
            .min(10)
            .max(4 * MEGABYTE),
          blob: z.string().optional(),
        }),
      },
      ({ result_bytes }, ctx) => {
        noted(ctx);
        return { blob: 'r'.repeat(Math.max(0, result_bytes - JSON.stringify({ blob: '' }).length)) };
      },
    )
    .registerTask(
      'chaos.odd',
      { description: 'Returns what is no JSON.', params: z.strictObject({ kind: z.enum(ODD_RESULTS) }) },
      ({ kind }, ctx) => {
        noted(ctx);
        return oddResult(kind);
      },
    );
}
