// Says which packages of OpenTelemetry a worker's tracing loads, with the environment it is given.
import { registerHooks } from 'node:module';

const loaded = new Set();
registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier.startsWith('@opentelemetry/')) loaded.add(specifier);
    return next(specifier, context);
  },
});

const { loadSettings } = await import('@spine/config');
const { createLogger, Metrics, startTracing } = await import('@spine/observability');
const { tracing } = loadSettings(process.env, { role: 'worker' });
const running = await startTracing(tracing, {
  service: 'worker',
  logger: createLogger({ service: 'worker', level: 'silent' }),
  metrics: new Metrics('worker'),
});
await running.stop();
process.stdout.write(JSON.stringify([...loaded].sort()));
