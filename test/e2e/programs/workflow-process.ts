/** A worker with a driver of workflows as a process of its own, with short leases: it is there to be killed. */
import { createEngine, Worker } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver } from '@spine/orchestration';
import { Metrics, silentLogger } from '@spine/observability';

export interface WorkflowProcess {
  readonly service: string;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly registry: HandlerRegistry;
  readonly lane: string;
  readonly slots: number;
}

/** Starts both, and tells the parent when they are. */
export async function runWorkflowProcess({ lane, slots, ...options }: WorkflowProcess): Promise<void> {
  const engine = await createEngine({ ...options, logger: silentLogger(), metrics: new Metrics('test') });
  const driver = new WorkflowDriver({ ...engine, definitions: new DefinitionVersions(), pollMs: 100 });
  const worker = new Worker({
    ...engine,
    lanes: [lane],
    slots,
    leaseMs: 1_000,
    heartbeatMs: 200,
    pollMs: 250,
    onEnded: () => driver.wake(),
  });
  driver.start();
  await worker.start();
  process.send?.('ready');
}
