/** The executors under test, each with the same handlers. */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ERROR_CATEGORIES } from '@spine/core';
import {
  HandlerRegistry,
  LocalExecutor,
  MemoryExecutor,
  ProcessExecutor,
  QueueExecutor,
} from '@spine/execution';
import type { ExecutionRef, Executor, HandlerContext, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { openBed } from '../integration/engine-run-support.ts';
import * as handlers from './executor-handlers.ts';

const file = z.string();
/** Params by handler. */
const SCHEMAS = {
  answer: z.record(z.string(), z.unknown()),
  nothing: z.strictObject({}),
  note: z.strictObject({ file, text: z.string() }),
  fails: z.strictObject({ message: z.string(), category: z.enum(ERROR_CATEGORIES), retryable: z.boolean() }),
  failPlain: z.strictObject({ message: z.string() }),
  flaky: z.strictObject({ file, failures: z.int() }),
  putsOff: z.strictObject({ file }),
  unstorable: z.strictObject({}),
  hold: z.strictObject({ file }),
  stubborn: z.strictObject({ file, release: file }),
  busy: z.strictObject({ file }),
  meet: z.strictObject({ file, name: z.string(), together: z.int(), release: file }),
  report: z.strictObject({}),
  misreport: z.strictObject({}),
  parent: z.strictObject({ file }),
  square: z.strictObject({ n: z.number() }),
} as const satisfies Record<keyof typeof handlers, z.ZodType>;

const NAMES = Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[];

function register(registry: HandlerRegistry, how: 'functions' | 'modules'): HandlerRegistry {
  for (const name of NAMES) {
    const options = { description: `Handler ${name} of the suite.`, params: SCHEMAS[name] as z.ZodType };
    const handler = handlers[name] as (params: unknown, ctx: HandlerContext) => unknown;
    registry.registerTask(
      name,
      options,
      how === 'functions'
        ? handler
        : { module: new URL('./executor-handlers.ts', import.meta.url), export: name },
    );
  }
  return registry;
}

export interface OpenExecutor {
  readonly executor: Executor;
  /** Accepts a run and answers as soon as it is accepted, whether or not it has ended. */
  begin(spec: WorkSpec): Promise<ExecutionRef>;
  close(): Promise<void>;
}

/** What an executor promises beyond the protocol. */
export interface Traits {
  /** Attempts at the same time at the most; null where it depends on the workers there are. */
  readonly concurrency: number | null;
  /** Whether handlers run where the test does, with a signal and children. */
  readonly inThisProcess: boolean;
  readonly open: () => Promise<OpenExecutor>;
}

async function begin(executor: Executor, spec: WorkSpec): Promise<ExecutionRef> {
  const submission = await executor.submit(spec);
  if (submission.type !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(submission)}`);
  return submission.ref;
}

function opened(executor: Executor): OpenExecutor {
  return {
    executor,
    begin: (spec) => begin(executor, spec),
    close: () => executor.close({ graceMs: 0 }),
  };
}

function openMemory(): Promise<OpenExecutor> {
  const executor = new MemoryExecutor({ registry: register(new HandlerRegistry(), 'functions') });
  return Promise.resolve({
    ...opened(executor),
    // Its submit resolves when the run has ended.
    begin: async (spec) => {
      const known = new Set(executor.all().map(({ runId }) => runId));
      const accepted = () => executor.all().find(({ runId }) => !known.has(runId));
      const { runId } = await Promise.race([begin(executor, spec), waitFor(accepted, { intervalMs: 1 })]);
      return { runId };
    },
  });
}

const LOCAL_CONCURRENCY = 3;
const THREADS = 2;

function openLocal(): Promise<OpenExecutor> {
  const registry = register(new HandlerRegistry(), 'functions');
  return Promise.resolve(opened(new LocalExecutor({ registry, concurrency: LOCAL_CONCURRENCY })));
}

function openProcess(): Promise<OpenExecutor> {
  const registry = register(new HandlerRegistry(), 'modules');
  const root = fileURLToPath(new URL('.', import.meta.url));
  return Promise.resolve(opened(new ProcessExecutor({ registry, root, threads: THREADS })));
}

function openQueue(queue: 'redis' | 'postgres') {
  return async (): Promise<OpenExecutor> => {
    const bed = await openBed({ queue, register: (registry) => void register(registry, 'functions') });
    await bed.startWorker('default', { slots: 50, pollMs: 500 });
    const executor = new QueueExecutor(bed.engine);
    return {
      ...opened(executor),
      close: async () => {
        await executor.close();
        await bed.close();
      },
    };
  };
}

export const EXECUTORS: readonly (readonly [name: string, traits: Traits])[] = [
  ['MemoryExecutor', { concurrency: 1, inThisProcess: true, open: openMemory }],
  ['LocalExecutor', { concurrency: LOCAL_CONCURRENCY, inThisProcess: true, open: openLocal }],
  ['ProcessExecutor', { concurrency: THREADS, inThisProcess: false, open: openProcess }],
  ['QueueExecutor on Redis', { concurrency: null, inThisProcess: true, open: openQueue('redis') }],
  ['QueueExecutor on Postgres', { concurrency: null, inThisProcess: true, open: openQueue('postgres') }],
];
