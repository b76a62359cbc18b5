import { startHealthServer } from '@spine/observability';
import type { HealthServer } from '@spine/observability';
import type { Engine } from './engine.ts';

/** Health and metrics of a process that serves nothing else; null where no port is set. Ready while Postgres answers. */
export async function startEngineHealth(
  engine: Engine,
  host: string,
  port: number | undefined,
): Promise<HealthServer | null> {
  if (port === undefined) return null;
  return startHealthServer({
    host,
    port,
    metrics: engine.metrics,
    ready: async () => {
      await engine.pool.query('SELECT 1');
      return true;
    },
  });
}
