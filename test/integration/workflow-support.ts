/** Workflows on a real Postgres: a worker that runs their steps, and a driver that advances them. */
import type { RunRecord } from '@spine/database';
import { workflowSpec } from '@spine/execution';
import type { WorkSpec, Worker } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import type { WorkflowDriverOptions, WorkflowFunction, WorkflowInput } from '@spine/orchestration';
import { silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';

export const LANE = 'workflows';

export interface WorkflowBed extends Bed {
  readonly workflows: WorkflowRegistry;
  /** Starts a worker of the lane and a driver that hears of what it has ended. */
  begin(): Promise<{ readonly worker: Worker; readonly driver: WorkflowDriver }>;
  newDriver(options?: Pick<WorkflowDriverOptions, 'adopter'>): WorkflowDriver;
  start(name: string, params?: Record<string, unknown>, more?: Partial<WorkSpec>): Promise<string>;
  /** Starts a run and waits until it has this status. */
  run(name: string, params?: Record<string, unknown>, status?: RunRecord['status']): Promise<RunRecord>;
}

export interface WorkflowBedOptions extends Partial<BedOptions> {
  readonly functions?: Readonly<Record<string, WorkflowFunction>>;
  readonly workflows: readonly WorkflowInput[];
  readonly environment?: string;
}

export async function openWorkflowBed(options: WorkflowBedOptions): Promise<WorkflowBed> {
  const workflows = new WorkflowRegistry(
    options.environment === undefined ? {} : { environment: options.environment },
  );
  for (const [name, code] of Object.entries(options.functions ?? {})) workflows.registerFunction(name, code);
  for (const workflow of options.workflows) workflows.registerWorkflow(workflow);
  const bed = await openBed({
    queue: 'memory',
    ...options,
    register: (registry) => {
      options.register?.(registry);
      workflows.registerHandlers(registry);
    },
  });
  const drivers: WorkflowDriver[] = [];
  const newDriver: WorkflowBed['newDriver'] = (more = {}) => {
    const driver = new WorkflowDriver({
      ...bed.engine,
      definitions: new DefinitionVersions(),
      logger: silentLogger(),
      pollMs: 25,
      ...more,
    });
    drivers.push(driver);
    return driver;
  };
  const start: WorkflowBed['start'] = (name, params = {}, more = {}) =>
    bed.submit(workflowSpec(name, params, { lane: LANE, deadLetter: false, retryDelaySeconds: 0, ...more }));
  return {
    ...bed,
    workflows,
    newDriver,
    begin: async () => {
      const driver = newDriver();
      const worker = await bed.startWorker(LANE, {
        onEnded: () => driver.wake(),
        begin: (runs, source) => driver.begin(runs, source),
      });
      driver.start();
      return { worker, driver };
    },
    start,
    run: async (name, params = {}, status = 'completed') => bed.reach(await start(name, params), status),
    close: async () => {
      await Promise.all(drivers.map((driver) => driver.stop()));
      await bed.close();
    },
  };
}

/** What must hold of every workflow that has ended: nothing is left of it to do. */
export async function leftovers(admin: WorkflowBed['admin']): Promise<unknown[]> {
  const { rows } = await admin.query<{ id: string }>(`
    SELECT w.run_id AS id, w.status, r.status AS run_status FROM workflow_runs w JOIN runs r ON r.id = w.run_id
    WHERE (w.status = 'ended') <> (r.completed_at IS NOT NULL)
    UNION ALL
    SELECT i.workflow_run_id, 'inbox', NULL FROM workflow_inbox i JOIN workflow_runs w ON w.run_id = i.workflow_run_id
    WHERE w.status = 'ended'
    UNION ALL
    SELECT s.run_id, 'step', r.status FROM workflow_steps s JOIN runs r ON r.id = s.run_id
    JOIN workflow_runs w ON w.run_id = s.workflow_run_id
    WHERE w.status = 'ended' AND s.kind <> 'detached' AND r.completed_at IS NULL`);
  return rows;
}

export async function noLeftovers(admin: WorkflowBed['admin']): Promise<void> {
  let rows: unknown[] = [];
  await waitFor(
    async () => {
      rows = await leftovers(admin);
      return rows.length === 0;
    },
    { message: () => `nothing is left: ${JSON.stringify(rows)}` },
  );
}
