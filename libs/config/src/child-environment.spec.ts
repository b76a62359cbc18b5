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
    });
  });
});
