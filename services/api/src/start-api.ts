import { createCatalog, EXAMPLES } from '@spine/catalog';
import type { SecretsResolver, Settings, ShownVariable } from '@spine/config';
import { createEngine, ServicePresence } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { createLogger, Metrics, startTracing } from '@spine/observability';
import type { RunningService } from '@spine/observability';
import { createApp } from './app.ts';

/** The handlers the API can describe and whose params it checks at submit. */
function createRegistry(dataRoots: readonly string[]): HandlerRegistry {
  const { handlers, workflows } = createCatalog({ dataRoots });
  return workflows.registerHandlers(handlers).check();
}

/**
 * Starts the API and answers when it accepts requests.
 * @param variables what GET /database/config shows of the settings
 */
export async function startApi(
  settings: Settings<'api'>,
  secrets: SecretsResolver,
  variables: readonly ShownVariable[] = [],
): Promise<RunningService> {
  const logger = createLogger({ service: 'api', level: settings.log.level });
  for (const warning of settings.warnings) logger.warn(warning);
  const metrics = new Metrics('api');
  const engine = await createEngine({
    databaseUrl: settings.database.url.reveal(),
    redisUrl: settings.redis.url?.reveal() ?? null,
    registry: createRegistry(settings.dataRoots),
    logger,
    metrics,
    service: 'api',
    payloads: settings.payloads,
    eventBus: settings.eventBus.backend,
    poolSize: settings.database.poolSize,
  });
  const tracing = await startTracing(settings.tracing, { service: 'api', logger, metrics });
  try {
    const resolveSecret = async (reference: string): Promise<string> =>
      (await secrets.resolve(reference)).reveal();
    const app = await createApp({ settings, engine, resolveSecret, examples: EXAMPLES, variables });
    const url = await app.listen();
    const presence = new ServicePresence({ ...engine, service: 'api' });
    presence.start();
    const mode = settings.api.open
      ? 'local mode: open to this machine, no key is asked for'
      : 'asks for an API key';
    logger.info({ url, mode: settings.api.open ? 'open' : 'keys' }, `api listens on ${url}; ${mode}`);
    return {
      ready: { url },
      stop: async () => {
        await app.close();
        await presence.stop();
        await engine.close();
        await tracing.stop();
      },
    };
  } catch (error) {
    await engine.close();
    await tracing.stop();
    throw error;
  }
}
