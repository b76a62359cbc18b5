import { loadSettings } from '@spine/config';
import { describe, expect, it } from 'vitest';
import { serviceEnvironment, type ServiceRole } from './service-environment.ts';

const given = {
  PATH: '/bin',
  SPINE_DATA_ROOTS: 'in:/abs',
  SPINE_LANES: 'slow',
  SPINE_PORT: '3000',
  PGHOST: 'x',
};

function environment(role: ServiceRole, more: Record<string, string> = {}) {
  const env = { ...given, ...more };
  const settings = loadSettings(env, { role: 'launcher', cwd: '/p' });
  return serviceEnvironment(settings, 'postgresql://u:p@127.0.0.1:1/spine', role, env);
}

describe('serviceEnvironment', () => {
  it('gives the API the port that was chosen', () => {
    expect(environment({ kind: 'api', port: 3001 })).toEqual({
      PATH: '/bin',
      SPINE_DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/spine',
      SPINE_DATA_DIR: '/p/.spine',
      SPINE_DATA_ROOTS: '/p/in:/abs',
      SPINE_LANES: 'slow',
      SPINE_PORT: '3001',
      SPINE_SHUTDOWN_GRACE_SECONDS: '7',
    });
  });

  it('gives every process a health port of its own, the API none', () => {
    const port = (role: ServiceRole) => environment(role, { SPINE_HEALTH_PORT: '9100' })['SPINE_HEALTH_PORT'];
    expect(port({ kind: 'scheduler' })).toBe('9100');
    expect(port({ kind: 'worker', number: 1 })).toBe('9101');
    expect(port({ kind: 'worker', number: 2 })).toBe('9102');
    expect(port({ kind: 'api', port: 1 })).toBeUndefined();
    expect(environment({ kind: 'scheduler' })).not.toHaveProperty('SPINE_HEALTH_PORT');
  });

  it('keeps the key of whoever starts it from the services', () => {
    const env = environment({ kind: 'worker', number: 1 }, { SPINE_API_KEY: 'key-of-a-person' });
    expect(env).not.toHaveProperty('SPINE_API_KEY');
  });

  it('gives the owner of the database to the API alone', () => {
    const admin = { SPINE_ADMIN_DATABASE_URL: 'postgresql://owner:p@h/spine' };
    expect(environment({ kind: 'api', port: 1 }, admin)).toMatchObject(admin);
    for (const role of [{ kind: 'worker', number: 1 }, { kind: 'scheduler' }] as const) {
      expect(environment(role, admin)).not.toHaveProperty('SPINE_ADMIN_DATABASE_URL');
    }
  });

  it('never asks for less than no grace', () => {
    const env = environment({ kind: 'scheduler' }, { SPINE_SHUTDOWN_GRACE_SECONDS: '0' });
    expect(env['SPINE_SHUTDOWN_GRACE_SECONDS']).toBe('0');
  });
});
