import { afterEach, describe, expect, it } from 'vitest';
import { startHealthServer } from './health-server.ts';
import type { HealthServer } from './health-server.ts';
import { Metrics } from './metrics.ts';

const servers: HealthServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function started(ready: () => Promise<boolean> | boolean) {
  const metrics = new Metrics('worker');
  const server = await startHealthServer({ host: '127.0.0.1', port: 0, metrics, ready });
  servers.push(server);
  return { metrics, server, get: (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`) };
}

describe('the health server', () => {
  it('is live as long as it answers', async () => {
    const { get } = await started(() => false);
    expect((await get('/health/live')).status).toBe(200);
  });

  it.each<[string, () => Promise<boolean> | boolean, number]>([
    ['can work', () => true, 200],
    ['cannot', () => Promise.resolve(false), 503],
    ['cannot tell', () => Promise.reject(new Error('no database')), 503],
  ])('is ready when the process %s', async (_, ready, status) => {
    const { get } = await started(ready);
    const response = await get('/health/ready');
    expect(response.status).toBe(status);
    // Why it is not ready is for the log: the message may name hosts and users.
    expect(await response.text()).toBe(status === 200 ? '{"status":"ok"}' : '{"status":"unavailable"}');
  });

  it('gives the metrics, with the service and without a label of user text', async () => {
    const { get, metrics } = await started(() => true);
    metrics.settled.inc({ outcome: 'completed' }, 3);
    metrics.commit('settle')(12, 2);
    const response = await get('/metrics');
    const text = await response.text();
    expect(response.headers.get('content-type')).toContain('text/plain');
    expect(text).toContain('spine_runs_settled_total{outcome="completed",service="worker"} 3');
    expect(text).toContain('spine_group_commit_items_sum{service="worker",statement="settle"} 12');
    expect(text).toContain('spine_group_commit_seconds_sum{service="worker",statement="settle"} 0.002');
  });

  it('knows nothing else', async () => {
    const { get } = await started(() => true);
    expect((await get('/')).status).toBe(404);
    expect((await get('/health')).status).toBe(404);
  });

  it('refuses a port that is taken', async () => {
    const { server, metrics } = await started(() => true);
    const second = startHealthServer({ host: '127.0.0.1', port: server.port, metrics, ready: () => true });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
