import type { Settings } from '@spine/config';
import {
  createEngine,
  createGateSweep,
  createHousekeeping,
  createPayloadSweep,
  createQueueMetrics,
  createReaper,
  createRelay,
  createRetention,
  HandlerRegistry,
  startEngineHealth,
} from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import type { RunningService } from '@spine/observability';

/** Starts the maintenance services. Any number of schedulers may run: each round works on rows no other one holds. */
export async function startScheduler(settings: Settings<'scheduler'>): Promise<RunningService> {
  const logger = createLogger({ service: 'scheduler', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('scheduler');
  const engine = await createEngine({
    databaseUrl: settings.database.url.reveal(),
    redisUrl: settings.redis.url?.reveal() ?? null,
    registry: new HandlerRegistry(),
    logger,
    metrics,
    service: 'scheduler',
    payloads: settings.payloads,
    poolSize: Math.min(settings.database.poolSize, 4),
  });
  // Fails the start, not the first round, when the database is not there.
  await engine.capacity.refresh();
  const options = { ...engine, lanes: settings.worker.lanes };
  const { days } = settings.retention;
  const services = [
    createRelay(options),
    createReaper(options),
    createHousekeeping(options),
    createGateSweep(options),
    createPayloadSweep(engine),
    createQueueMetrics(options),
    ...(days === undefined ? [] : [createRetention({ ...engine, days })]),
  ];
  for (const service of services) service.start();
  const health = await startEngineHealth(engine, settings.api.host, settings.healthPort);
  logger.info({ lanes: settings.worker.lanes, retention_days: days ?? null }, 'scheduler started');
  return {
    ready: {},
    stop: async () => {
      await Promise.all(services.map((service) => service.stop()));
      await health?.close();
      await engine.close();
    },
  };
}
