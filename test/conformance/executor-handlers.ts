/**
 * The handlers of the executor suite, as functions that run in the test's process or, found by their names, in a thread.
 * They tell what they do by files, which both can see.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorCategory } from '@spine/core';
import { SpineError, TransientError } from '@spine/core';
import type { WorkSpec } from '@spine/execution';
import { linesOf } from './executor-files.ts';

/** What every context has; a thread has no more. */
interface Context {
  readonly run: { readonly attempt: number; readonly runId: string };
  readonly signal?: AbortSignal;
  readonly log: { info(fields: Record<string, unknown>, message: string): void };
  progress(fraction: number, message?: string): void;
  event(type: string, data?: Record<string, unknown>): Promise<void> | void;
  defer(seconds: number, reason: string): never;
  submit?(spec: WorkSpec): Promise<{ type: string; runId?: string }>;
}

const LOOK_MS = 5;

export function answer(params: unknown): unknown {
  return params;
}

export function nothing(): undefined {
  return undefined;
}

export function note({ file, text }: { file: string; text: string }): { noted: string } {
  appendFileSync(file, `${text}\n`);
  return { noted: text };
}

export function fails(params: { message: string; category: ErrorCategory; retryable: boolean }): never {
  const { message, ...options } = params;
  throw new SpineError(message, options);
}

export function failPlain({ message }: { message: string }): never {
  throw new RangeError(message);
}

/** Fails as often as told. */
export function flaky({ file, failures }: { file: string; failures: number }, ctx: Context) {
  appendFileSync(file, `${ctx.run.attempt}\n`);
  if (linesOf(file).length <= failures) throw new TransientError('not yet');
  return { attempts: linesOf(file).length };
}

/** Puts itself off once. */
export function putsOff({ file }: { file: string }, ctx: Context): { attempt: number } {
  appendFileSync(file, 'called\n');
  if (linesOf(file).length === 1) ctx.defer(0, 'not now');
  return { attempt: ctx.run.attempt };
}

export function unstorable(): unknown {
  return { count: 10n };
}

/** Ends when its signal says so. */
export async function hold({ file }: { file: string }, ctx: Context): Promise<never> {
  appendFileSync(file, 'holds\n');
  ctx.signal?.addEventListener('abort', () => appendFileSync(file, 'aborted\n'));
  for (;;) await sleep(LOOK_MS, undefined, ctx.signal === undefined ? {} : { signal: ctx.signal });
}

/** Looks at no signal; ends when the file `release` is there. */
export async function stubborn({ file, release }: { file: string; release: string }): Promise<string> {
  appendFileSync(file, 'holds\n');
  while (!existsSync(release)) await sleep(LOOK_MS);
  appendFileSync(file, 'late\n');
  return 'late';
}

/** Computes for ever, and leaves no turn to anybody. */
export function busy({ file }: { file: string }): never {
  for (;;) appendFileSync(file, '.');
}

/** Says that it runs and goes on when `together` have said so, or the file `release` is there. */
export async function meet(params: { file: string; name: string; together: number; release: string }) {
  const { file, name, together, release } = params;
  appendFileSync(file, `+${name}\n`);
  const begun = () => linesOf(file).filter((line) => line.startsWith('+')).length;
  while (begun() < together && !existsSync(release)) await sleep(LOOK_MS);
  appendFileSync(file, `-${name}\n`);
  return { name };
}

export async function report(_params: unknown, ctx: Context): Promise<null> {
  ctx.log.info({ rows: 3, token: 'a-secret' }, 'looked');
  ctx.progress(1, 'all');
  await ctx.event('checked', { rows: 3 });
  return null;
}

export async function misreport(_params: unknown, ctx: Context): Promise<null> {
  await ctx.event('Not A Type');
  return null;
}

/** Submits a child that holds, and holds. */
export async function parent({ file }: { file: string }, ctx: Context): Promise<never> {
  const child = await ctx.submit?.({ kind: 'task', name: 'hold', params: { file } });
  appendFileSync(file, `child ${child?.runId ?? ''}\n`);
  return hold({ file }, ctx);
}

export function square({ n }: { n: number }): { square: number } {
  return { square: n * n };
}
