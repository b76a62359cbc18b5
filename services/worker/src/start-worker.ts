import type { Settings } from '@spine/config';
import {
  createEngine,
  HandlerRegistry,
  registerBuiltinHandlers,
  Worker,
  startEngineHealth,
} from '@spine/execution';
import { registerFinraOtc } from '@spine/finra-otc';
import { createLogger, Metrics } from '@spine/observability';
import type { RunningService } from '@spine/observability';

/** Everything this deployment's workers can execute. */
function createRegistry(dataRoots: readonly string[]): HandlerRegistry {
  return registerFinraOtc(registerBuiltinHandlers(new HandlerRegistry()), { dataRoots });
}

/** Starts a worker: hints in, settled runs out. Holds no state of its own; any number may run. */
export async function startWorker(settings: Settings<'worker'>): Promise<RunningService> {
  const logger = createLogger({ service: 'worker', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('worker');
  const engine = await createEngine({
    databaseUrl: settings.database.url.reveal(),
    redisUrl: settings.redis.url?.reveal() ?? null,
    registry: createRegistry(settings.dataRoots),
    logger,
    metrics,
    service: 'worker',
    poolSize: settings.database.poolSize,
  });
  const worker = new Worker({
    ...engine,
    lanes: settings.worker.lanes,
    slots: settings.worker.concurrency,
    leaseMs: settings.worker.leaseSeconds * 1000,
  });
  await worker.start();
  const health = await startEngineHealth(engine, settings.api.host, settings.healthPort);
  return {
    ready: { worker_id: worker.workerId },
    // Handing back and closing come after the grace.
    stopWithinMs: settings.shutdownGraceSeconds * 1000 + 60_000,
    stop: async () => {
      await worker.stop(settings.shutdownGraceSeconds * 1000);
      await health?.close();
      await engine.close();
    },
  };
}
