import { hostname } from 'node:os';
import type { Settings } from '@spine/config';
import {
  createBackfillPump,
  createDependencyWatch,
  createEngine,
  createGateSweep,
  createHousekeeping,
  createLedgerRetention,
  createPayloadSweep,
  createQueueMetrics,
  createReadinessRecheck,
  createReaper,
  createRelay,
  createRetention,
  HandlerRegistry,
  ServicePresence,
  startEngineHealth,
} from '@spine/execution';
import type { Ticker } from '@spine/execution';
import { createLogger, Metrics, startTracing } from '@spine/observability';
import type { RunningService } from '@spine/observability';
import { tradingCalendars } from '@spine/reference-calendar';
import {
  createArrivals,
  createEventRouter,
  createFileSource,
  createLockSweep,
  createPostgresSource,
  createRedisSource,
  createRunEventSource,
  createScheduleHistory,
  createSchedulerBeat,
  createScheduleTicker,
  createTriggerSweep,
  LockManager,
} from '@spine/scheduling';

/** How long the others wait when the process that does a service dies. */
const LEASE_MS = 30_000;

/** Starts schedules and maintenance. Any number of schedulers may run. */
export async function startScheduler(settings: Settings<'scheduler'>): Promise<RunningService> {
  const logger = createLogger({ service: 'scheduler', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('scheduler');
  const databaseUrl = settings.database.url.reveal();
  const redisUrl = settings.redis.url?.reveal() ?? null;
  const engine = await createEngine({
    databaseUrl,
    redisUrl,
    registry: new HandlerRegistry(),
    logger,
    metrics,
    service: 'scheduler',
    payloads: settings.payloads,
    eventBus: settings.eventBus.backend,
    poolSize: Math.min(settings.database.poolSize, 4),
  });
  const tracing = await startTracing(settings.tracing, { service: 'scheduler', logger, metrics });
  // Fails the start, not the first round, when the database is not there.
  await engine.capacity.refresh();
  const options = { ...engine, lanes: settings.worker.lanes };
  const { days, ledger } = settings.retention;
  const owner = `${hostname()}:${process.pid}`;
  const locks = new LockManager({ db: engine.db, owner });
  // What several could do at once is done by one: it would be done as often for nothing otherwise.
  const alone = (service: Ticker): Ticker => service.under(locks.lease(`service:${service.name}`, LEASE_MS));
  const services = [
    // These find their work by rows that nobody else has locked. A lease would only make others wait for it to end.
    createRelay(options),
    createReaper(options),
    createScheduleTicker({ ...engine, calendars: tradingCalendars(), by: owner }),
    createBackfillPump(engine),
    createReadinessRecheck(engine),
    createQueueMetrics(options),
    createDependencyWatch(options),
    createSchedulerBeat({ ...engine, locks, owner }),
    createEventRouter(engine),
    createRunEventSource(engine),
    createFileSource({ ...engine, dataRoots: settings.dataRoots }),
    // What these hear has no id of its own: one process listens, and stores under its lease.
    createPostgresSource({
      ...engine,
      connectionString: databaseUrl,
      locks,
      lease: locks.lease('source:postgres', LEASE_MS),
    }),
    ...(redisUrl === null
      ? []
      : [createRedisSource({ ...engine, redisUrl, locks, lease: locks.lease('source:redis', LEASE_MS) })]),
    alone(createHousekeeping(options)),
    createGateSweep(options),
    alone(createPayloadSweep(engine)),
    alone(createScheduleHistory(engine)),
    alone(createLockSweep({ locks, logger })),
    alone(createTriggerSweep(engine)),
    alone(createArrivals(engine)),
    ...(days === undefined ? [] : [alone(createRetention({ ...engine, days }))]),
    ...(ledger.size === 0 ? [] : [alone(createLedgerRetention({ ...engine, policy: ledger }))]),
  ];
  for (const service of services) service.start();
  const presence = new ServicePresence({ ...engine, service: 'scheduler' });
  presence.start();
  const health = await startEngineHealth(engine, settings.api.host, settings.healthPort);
  logger.info({ lanes: settings.worker.lanes, retention_days: days ?? null }, 'scheduler started');
  return {
    ready: {},
    stop: async () => {
      await Promise.all(services.map((service) => service.stop()));
      await presence.stop();
      await health?.close();
      await engine.close();
      await tracing.stop();
    },
  };
}
