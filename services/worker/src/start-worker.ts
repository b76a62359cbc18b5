import { fileURLToPath } from 'node:url';
import type { Settings } from '@spine/config';
import {
  createEngine,
  HandlerRegistry,
  LoopWatchdog,
  Recycler,
  registerBuiltinHandlers,
  registerLedgerOperations,
  Worker,
  startEngineHealth,
  ThreadPool,
} from '@spine/execution';
import { ingestReplayer, registerFinraOtc } from '@spine/finra-otc';
import { createLogger, Metrics } from '@spine/observability';
import type { RunningService } from '@spine/observability';
import { registerReferenceCalendar } from '@spine/reference-calendar';

/** What this deployment's code lies under, isolated handlers included. */
const CODE_ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Everything this deployment's workers can execute. */
function createRegistry(dataRoots: readonly string[]): HandlerRegistry {
  const registry = registerBuiltinHandlers(new HandlerRegistry());
  registerLedgerOperations(registry, { replayers: [ingestReplayer] });
  return registerReferenceCalendar(registerFinraOtc(registry, { dataRoots }), { dataRoots });
}

/**
 * Starts a worker: hints in, settled runs out. Holds no state of its own; any number may run. It asks to be replaced when
 * it is over a limit of its settings, or an operator says so.
 *
 * @param moreHandlers registers handlers beside those of this deployment. Default none.
 */
export async function startWorker(
  settings: Settings<'worker'>,
  moreHandlers: (registry: HandlerRegistry) => HandlerRegistry = (registry) => registry,
): Promise<RunningService> {
  const logger = createLogger({ service: 'worker', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('worker');
  const engine = await createEngine({
    databaseUrl: settings.database.url.reveal(),
    redisUrl: settings.redis.url?.reveal() ?? null,
    registry: moreHandlers(createRegistry(settings.dataRoots)),
    logger,
    metrics,
    service: 'worker',
    payloads: settings.payloads,
    eventBus: settings.eventBus.backend,
    poolSize: settings.database.poolSize,
  });
  // Starts no thread before an isolated handler is called.
  const threads = new ThreadPool({ root: CODE_ROOT, logger });
  const worker = new Worker({
    ...engine,
    threads,
    lanes: settings.worker.lanes,
    slots: settings.worker.concurrency,
    leaseMs: settings.worker.leaseSeconds * 1000,
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
      watchdog.stop();
      await threads.close();
      await health?.close();
      await engine.close();
    },
  };
}
