import { fileURLToPath } from 'node:url';
import { createCatalog } from '@spine/catalog';
import type { SecretsResolver, Settings } from '@spine/config';
import { createEngine, LoopWatchdog, Recycler, Worker, startEngineHealth } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { createLogger, Metrics, startTracing } from '@spine/observability';
import type { RunningService } from '@spine/observability';
import { openWorkflowDriver, publishCode } from '@spine/orchestration';
import type { WorkflowRegistry } from '@spine/orchestration';
import { openThreads } from './threads.ts';

/** What this deployment's code lies under, isolated handlers included. */
const CODE_ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface StartWorkerOptions {
  /** Registers handlers beside those of this deployment. Default none. */
  readonly moreHandlers?: (registry: HandlerRegistry) => HandlerRegistry;
  /** What handlers get their secrets from. Default: none, and `ctx.secret` fails. */
  readonly secrets?: SecretsResolver;
  /** Workflows this worker runs and advances instead of those of this deployment. */
  readonly workflows?: WorkflowRegistry;
}

/**
 * Starts a worker: hints in, settled runs out. Holds no state of its own; any number may run. It asks to be replaced when
 * it is over a limit of its settings, or an operator says so.
 */
export async function startWorker(
  settings: Settings<'worker'>,
  { moreHandlers = (registry) => registry, secrets, ...instead }: StartWorkerOptions = {},
): Promise<RunningService> {
  const logger = createLogger({ service: 'worker', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('worker');
  const catalog = createCatalog({
    dataRoots: settings.dataRoots,
    environment: settings.worker.environment,
  });
  const { workflows = catalog.workflows } = instead;
  const registry = workflows.registerHandlers(moreHandlers(catalog.handlers));
  const engine = await createEngine({
    databaseUrl: settings.database.url.reveal(),
    redisUrl: settings.redis.url?.reveal() ?? null,
    registry,
    logger,
    metrics,
    service: 'worker',
    payloads: settings.payloads,
    eventBus: settings.eventBus.backend,
    poolSize: settings.database.poolSize,
  });
  await publishCode(engine.db, workflows.definitions.values(), logger);
  const tracing = await startTracing(settings.tracing, { service: 'worker', logger, metrics });
  // Starts no thread before an isolated handler is called.
  const threads = openThreads(settings, CODE_ROOT, logger);
  const driver = openWorkflowDriver(engine, settings.database.url.reveal());
  const worker = new Worker({
    ...engine,
    onEnded: driver.onEnded,
    begin: driver.begin,
    threads,
    secrets,
    lanes: settings.worker.lanes,
    slots: settings.worker.concurrency,
    leaseMs: settings.worker.leaseSeconds * 1000,
    eagerStart: settings.worker.eagerStart,
    runLogLevel: settings.runLog.level,
    onDrainRequested: () => recycler.request({ type: 'drain' }),
  });
  const { maxRssMb, maxRuns } = settings.worker;
  const recycler = new Recycler({ maxRssMb, maxRuns, logger, begun: () => worker.begun });
  const watchdog = new LoopWatchdog({ logger, metrics });
  recycler.start();
  await worker.start();
  watchdog.start();
  const health = await startEngineHealth(engine, settings.api.host, settings.healthPort);
  return {
    ready: { worker_id: worker.workerId },
    // Handing back and closing come after the grace.
    stopWithinMs: settings.shutdownGraceSeconds * 1000 + 60_000,
    replaceMe: recycler.wanted,
    stop: async () => {
      recycler.stop();
      await worker.stop(settings.shutdownGraceSeconds * 1000);
      await driver.stop();
      watchdog.stop();
      await threads.close();
      await health?.close();
      await engine.close();
      await tracing.stop();
    },
  };
}
