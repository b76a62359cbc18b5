import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from './metrics.ts';

export interface HealthServerOptions {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Whether the process can do its work now. */
  readonly ready: () => Promise<boolean> | boolean;
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** `/health/live`, `/health/ready` (200 or 503) and `/metrics`, for processes that serve nothing else. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: string, type = 'application/json'): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    void (async () => {
      switch (request.url ?? '') {
        case '/health/live':
          answer(200, '{"status":"ok"}');
          return;
        case '/health/ready': {
          const ready = await options.ready();
          answer(ready ? 200 : 503, `{"status":"${ready ? 'ok' : 'unavailable'}"}`);
          return;
        }
        case '/metrics':
          answer(200, await options.metrics.registry.metrics(), options.metrics.registry.contentType);
          return;
        default:
          answer(404, '{"status":"not_found"}');
      }
    })().catch(() => answer(503, '{"status":"unavailable"}'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
