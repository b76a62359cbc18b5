import { describe, expect, it } from 'vitest';
import { childEnvironment } from './child-environment.ts';

describe('childEnvironment', () => {
  it('passes on Spine’s variables and what Node needs, with the overrides on top', () => {
    const env = {
      PATH: '/bin',
      HOME: '/home/x',
      PGPASSWORD: 'other database',
      NODE_CHANNEL_FD: '3',
      SPINE_PORT: '3000',
      SPINE_LANES: 'slow',
      SPINE_HEALTH_PORT: '9100',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_LOGS_EXPORTER: 'not a setting',
    };
    const child = childEnvironment(
      { SPINE_PORT: '3001', SPINE_HEALTH_PORT: undefined, SPINE_WORKERS: '1' },
      env,
    );
    expect(child).toEqual({
      PATH: '/bin',
      HOME: '/home/x',
      SPINE_PORT: '3001',
      SPINE_LANES: 'slow',
      SPINE_WORKERS: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    });
  });

  it('passes on what references to secrets need, wherever the reference stands, and no more', () => {
    const env = {
      DB_URL: 'postgres://h/d',
      OTHER: 'x',
      AWS_REGION: 'eu-central-1',
      SPINE_API_KEYS: 'secret:env:KEYS',
    };
    expect(childEnvironment({}, env)).toEqual({ SPINE_API_KEYS: 'secret:env:KEYS' });
    const configured = {
      ...env,
      SPINE_DATABASE_URL: 'secret:env:DB_URL',
      SPINE_REDIS_URL: 'secret:aws:redis',
    };
    expect(childEnvironment({}, env, configured)).toEqual({
      SPINE_API_KEYS: 'secret:env:KEYS',
      DB_URL: 'postgres://h/d',
      AWS_REGION: 'eu-central-1',
    });
  });
});
