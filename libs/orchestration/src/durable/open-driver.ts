/** A driver with connections of its own: handlers that hold all others keep no workflow from going on. */
import { createDb, createPool } from '@spine/database';
import type { BeginningRun, BeginOutcome, ClaimedRun } from '@spine/database';
import type { Engine } from '@spine/execution';
import { DefinitionVersions } from './definitions.ts';
import { WorkflowDriver } from './driver.ts';

export interface RunningDriver {
  /** To be told of every attempt that has ended in this process. */
  readonly onEnded: (run: ClaimedRun) => void;
  /** For the worker of this process: hands runs over, and advances their workflows in the same transaction. */
  readonly begin: (runs: readonly BeginningRun[], source: string) => Promise<readonly BeginOutcome[]>;
  /** Resolves when the advances under way have ended and the connections are closed. */
  stop(): Promise<void>;
}

/** Transactions of advances at the same time; beside them one that begins workflows has a connection. */
const CONCURRENCY = 4;

/** Starts a driver of workflow runs in a worker's process; the workers of its engine take steps as they are stored. */
export function openWorkflowDriver(engine: Engine, databaseUrl: string): RunningDriver {
  const { logger } = engine;
  const db = createDb(
    createPool({
      connectionString: databaseUrl,
      applicationName: 'spine-workflows',
      max: CONCURRENCY + 1,
      onError: (error) => logger.warn({ err: error }, 'an idle database connection broke'),
    }),
  );
  const driver = new WorkflowDriver({
    ...engine,
    db,
    definitions: new DefinitionVersions(),
    concurrency: CONCURRENCY,
    adopter: engine.localWorkers,
  });
  driver.start();
  return {
    onEnded: ({ kind, parentRunId }) => {
      if (kind === 'workflow' || (kind === 'step' && parentRunId !== null)) driver.wake();
    },
    begin: (runs, source) => driver.begin(runs, source),
    stop: async () => {
      await driver.stop();
      await db.destroy();
    },
  };
}
