/** Workflows beside plain runs, on one engine: the same work asked for in two ways. */
import { z } from 'zod';
import { createEngine, HandlerRegistry, taskSpec, Worker } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import { openWorkflowDriver, publishCode, WorkflowRegistry } from '@spine/orchestration';
import type { WorkflowFunction, WorkflowInput } from '@spine/orchestration';
import type { Lab } from '../lab.ts';

/** Steps of the workflow, and runs of the chain. */
export const LINKS = 3;

/**
 * How a run has the next one begin. `publish`: its end and the next run are one commit, as in a workflow. `submit`: the next
 * run begins before this one has settled, and goes on should this one fail.
 */
export const CHAINED_BY = ['publish', 'submit'] as const;
export type ChainedBy = (typeof CHAINED_BY)[number];

const LINK = 'bench.link';
const PLAIN = 'bench.plain';

export interface WorkflowBench {
  readonly engine: Engine;
  /** Starts a worker on lane `default`, with a driver as every worker process has one. */
  startWorker(slots: number): Promise<WorkerWithDriver>;
  close(): Promise<void>;
}

export interface WorkerWithDriver {
  readonly worker: Worker;
  /** Stops both. */
  stop(): Promise<void>;
}

export interface BenchWork {
  /** Called by every call of the function `work`, of a link and of a plain run. */
  readonly onCall: () => void;
  readonly workflows: readonly WorkflowInput[];
  readonly functions?: Readonly<Record<string, WorkflowFunction>>;
}

/** @param prefix of its keys in Redis. */
export async function openWorkflowBench(
  { databaseUrl, redis }: Pick<Lab, 'databaseUrl' | 'redis'>,
  prefix: string,
  { onCall, workflows, functions = {} }: BenchWork,
): Promise<WorkflowBench> {
  const plain = new HandlerRegistry()
    .registerTask(PLAIN, { description: 'Does nothing.', params: z.strictObject({}) }, onCall)
    .registerTask(
      LINK,
      {
        description: 'Does nothing, and has the next of its chain begin.',
        params: z.strictObject({ n: z.int(), left: z.int().min(0), by: z.enum(CHAINED_BY) }),
      },
      async ({ n, left, by }, ctx) => {
        onCall();
        if (left === 0) return { n };
        const next = taskSpec(LINK, { n: n + 1, left: left - 1, by });
        if (by === 'publish') {
          return ctx.publish(async (publication) => {
            await publication.submit(next);
            return { n };
          });
        }
        // Without a key an attempt that is made again would begin a second chain.
        await ctx.submit({ ...next, idempotencyKey: `${ctx.run.runId}/next` });
        return { n };
      },
    );
  const registry = new WorkflowRegistry().registerFunction('work', ({ n }) => {
    onCall();
    return { n: Number(n) + 1 };
  });
  for (const [name, code] of Object.entries(functions)) registry.registerFunction(name, code);
  for (const workflow of workflows) registry.registerWorkflow(workflow);
  const engine = await createEngine({
    databaseUrl,
    redisUrl: redis.url,
    registry: registry.registerHandlers(plain),
    logger: createLogger({ service: 'bench', level: 'warn' }),
    metrics: new Metrics('bench'),
    service: 'bench',
    queuePrefix: prefix,
  });
  await engine.queue.check();
  await publishCode(engine.db, registry.definitions.values(), engine.logger);
  const running = new Set<WorkerWithDriver>();
  return {
    engine,
    startWorker: async (slots) => {
      const driver = openWorkflowDriver(engine, databaseUrl);
      const worker = new Worker({
        ...engine,
        lanes: ['default'],
        slots,
        // Workflows are submitted to another process, as by the API.
        eagerStart: false,
        onEnded: driver.onEnded,
        begin: driver.begin,
      });
      const both: WorkerWithDriver = {
        worker,
        stop: async () => {
          running.delete(both);
          await worker.stop();
          await driver.stop();
        },
      };
      running.add(both);
      await worker.start();
      await engine.capacity.refresh();
      return both;
    },
    close: async () => {
      for (const both of running) await both.stop();
      await engine.close();
    },
  };
}

/** The first run of a chain of {@link LINKS}. */
export const chainSpec = (by: ChainedBy) => taskSpec(LINK, { n: 0, left: LINKS - 1, by });

export const plainSpec = () => taskSpec(PLAIN);

/** A workflow that does what a chain does. */
export const THREE_STEPS: WorkflowInput = {
  name: 'bench.three_steps',
  steps: [
    { kind: 'lambda', name: 'first', handler: 'work', params: { n: '{{ params.n }}' } },
    { kind: 'lambda', name: 'second', handler: 'work', params: { n: '{{ steps.first.output.n }}' } },
    { kind: 'lambda', name: 'third', handler: 'work', params: { n: '{{ steps.second.output.n }}' } },
  ],
  outputs: { n: '{{ steps.third.output.n }}' },
};

const TABLES =
  'runs, run_events, dead_letters, workflow_runs, workflow_state, workflow_inbox, workflow_steps, workflow_starts, ' +
  'workflow_history, workflow_approvals';

/** Before every measured phase: nobody pays for what another has left behind. */
export async function resetRuns({ admin }: Pick<Lab, 'admin'>): Promise<void> {
  await admin.query(`TRUNCATE ${TABLES}`);
  await admin.query(`VACUUM ANALYZE ${TABLES}`);
  await admin.query('CHECKPOINT');
}
