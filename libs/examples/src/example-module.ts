/** How an example comes into a deployment. */
import type { HandlerRegistry } from '@spine/execution';
import { PLAYGROUND_TAG } from '@spine/orchestration';
import type { ManagedWorkflow, WorkflowRegistry } from '@spine/orchestration';
import type { Example } from './example.ts';
import type { ExampleFlags } from './b5-flags.ts';
import type { FilingSource } from './filing-source.ts';

/** Of handlers that write, or ask something outside: workers call them. */
export const WORKER_ONLY = { tags: ['example'] } as const;

/** Of handlers that do neither: a playground may call them, too. */
export const SAFE = { tags: [...WORKER_ONLY.tags, PLAYGROUND_TAG] } as const;

export interface ExampleRegistries {
  readonly handlers: HandlerRegistry;
  readonly workflows: WorkflowRegistry;
}

export interface ExampleOptions {
  /** Of B5. Default: every flag at its fallback. */
  readonly flags?: ExampleFlags;
  /** Where I5 fetches from. Default: a source in this process that fails as often as the run's params say. */
  readonly filings?: FilingSource;
}

export interface ExampleModule {
  readonly example: Example;
  /** @throws ConfigError for a name that is taken. */
  register(to: ExampleRegistries, options: ExampleOptions): void;
}

/**
 * A built workflow, for workers: its definition, and the functions that its lambdas call. The functions of examples neither
 * write nor ask anything outside: a playground may call them.
 */
export function registerManaged({ workflows }: ExampleRegistries, managed: ManagedWorkflow): void {
  for (const [name, code] of managed.functions) workflows.registerFunction(name, code, SAFE);
  workflows.registerWorkflow(managed.definition);
}
