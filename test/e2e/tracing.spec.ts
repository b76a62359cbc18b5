/** One trace over the API and a worker as processes, and what is left at their end. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, freePort, testRedisUrl, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { startOtlpReceiver } from '../integration/otlp-receiver.ts';
import type { OtlpReceiver, ReceivedSpan } from '../integration/otlp-receiver.ts';
import { startService } from './service-processes.ts';
import type { ServiceProcess } from './service-processes.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

let database: TestDatabase;
let receiver: OtlpReceiver;
let healthPort = 0;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  [database, receiver] = await Promise.all([createTestDatabase(), startOtlpReceiver()]);
  const env = {
    SPINE_DATABASE_URL: database.connectionString,
    SPINE_REDIS_URL: await testRedisUrl(),
    SPINE_PORT: '0',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
  };
  healthPort = await freePort();
  const worker = { ...env, SPINE_HEALTH_PORT: String(healthPort) };
  services.push(...(await Promise.all([startService('api', env), startService('worker', worker)])));
});
afterAll(async () => {
  await Promise.all(services.map((service) => service.kill('SIGKILL')));
  await receiver.close();
  await database.drop();
});

const attempts = (): ReceivedSpan[] => receiver.spans.filter(({ name }) => name.startsWith('attempt '));

describe('a workflow that is submitted over HTTP', () => {
  it('is one trace over both processes, sent before they end', async () => {
    const [api, worker] = services;
    const answer = await fetch(`${String(api?.ready['url'])}/api/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: TRACEPARENT },
      body: JSON.stringify({ kind: 'workflow', name: 'examples.b1_hello_world', params: { name: 'Spine' } }),
    });
    expect(answer.status).toBe(202);
    const { data } = (await answer.json()) as { data: { run_id: string } };
    const statusOf = async (): Promise<string> => {
      const run = await fetch(`${String(api?.ready['url'])}/api/v1/runs/${data.run_id}`);
      return ((await run.json()) as { data: { status: string } }).data.status;
    };
    await waitFor(async () => (await statusOf()) === 'completed');
    const scraped = await fetch(`http://127.0.0.1:${healthPort}/metrics`);
    const metrics = await scraped.text();
    expect(metrics).toMatch(/^spine_workflow_advances_total\{outcome="ended",service="worker"\} 1$/m);
    expect(metrics).toMatch(/^spine_workflow_advance_seconds_count\{service="worker"\} [1-9]/m);
    // Nothing waits for the next batch: what has ended is sent at the end.
    await Promise.all([api?.kill('SIGTERM'), worker?.kill('SIGTERM')]);
    expect([await api?.ended, await worker?.ended]).toEqual([0, 0]);

    const request = receiver.spans.find(({ name }) => name === 'POST /api/v1/runs');
    const submitted = receiver.spans.find(({ parentSpanId }) => parentSpanId === request?.spanId);
    expect(request).toMatchObject({ traceId: TRACE, parentSpanId: '00f067aa0ba902b7', service: 'spine-api' });
    expect(submitted).toMatchObject({ name: 'submit', traceId: TRACE });
    const made = attempts();
    expect(made.length).toBeGreaterThanOrEqual(3);
    for (const attempt of made) {
      expect(attempt).toMatchObject({
        traceId: TRACE,
        parentSpanId: submitted?.spanId,
        service: 'spine-worker',
      });
    }
    expect(made.map(({ attributes }) => attributes['spine.outcome'])).toContain('handed_over');
    expect(made.filter(({ name }) => name.startsWith('attempt step:')).length).toBeGreaterThanOrEqual(2);
    const log = `${api?.output() ?? ''}${worker?.output() ?? ''}`;
    expect(log).toContain('traces are sent');
  });
});

describe('the SDK of OpenTelemetry', () => {
  const program = fileURLToPath(new URL('programs/loaded-packages.mjs', import.meta.url));
  const loadedWith = (env: Record<string, string>): string[] => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program], {
      env: { PATH: process.env['PATH'], SPINE_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing', ...env },
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as string[];
  };

  it('is loaded when a collector is named, and else not at all', () => {
    const named = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };
    expect(loadedWith(named)).toContain('@opentelemetry/sdk-trace');
    // prom-client brings the API.
    expect(loadedWith({ ...named, OTEL_SDK_DISABLED: 'true' })).toEqual(['@opentelemetry/api']);
  });
});
