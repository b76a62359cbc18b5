import { describe, expect, it } from 'vitest';
import { loadSettings } from './settings.ts';

const DATABASE = { SPINE_DATABASE_URL: 'postgres://h/d' };
const ENDPOINT = { ...DATABASE, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function tracing(env: Record<string, string>) {
  return loadSettings(env, { role: 'worker' }).tracing;
}

describe('tracing', () => {
  it('is off without an endpoint, and when it is disabled', () => {
    expect(tracing({ ...DATABASE, OTEL_SERVICE_NAME: 'x' })).toBeUndefined();
    expect(tracing({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
  });

  it('records everything by default', () => {
    expect(tracing(ENDPOINT)).toEqual({
      endpoint: 'http://collector:4318',
      headers: new Map(),
      serviceName: undefined,
      resourceAttributes: new Map(),
      sampler: 'parentbased_always_on',
      samplerRatio: 1,
    });
  });

  it('reads what OpenTelemetry reads, percent-encoded where it is', () => {
    const read = tracing({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.org/otlp//',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20YTpi, x-tenant = one ',
      OTEL_SERVICE_NAME: 'my service',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=a%2Cb,team=',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    });
    expect(read).toMatchObject({
      endpoint: 'https://collector.example.org/otlp',
      serviceName: 'my service',
      sampler: 'parentbased_traceidratio',
      samplerRatio: 0.25,
    });
    expect([...(read?.resourceAttributes ?? [])]).toEqual([
      ['deployment.environment.name', 'a,b'],
      ['team', ''],
    ]);
    expect([...(read?.headers ?? [])].map(([name, value]) => [name, value.reveal()])).toEqual([
      ['authorization', 'Basic YTpi'],
      ['x-tenant', 'one'],
    ]);
    expect(JSON.stringify([...(read?.headers ?? [])])).not.toContain('YTpi');
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://user:hunter2@collector:4318'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'hunter2'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=hunter2%zz'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=hunter2\r\nb: c'],
    ['OTEL_RESOURCE_ATTRIBUTES', '=x'],
    ['OTEL_SDK_DISABLED', 'yes'],
    ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', '1e-3'],
  ])('refuses %s=%j by its name, and shows no secret', (name, value) => {
    let message = '';
    try {
      tracing({ ...ENDPOINT, [name]: value });
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toContain(`${name}: given `);
    expect(message).not.toContain('hunter2');
  });
});
