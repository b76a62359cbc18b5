import { ConfigError } from '@spine/core';
import { describe, expect, it } from 'vitest';
import { FeatureFlags } from './flags/feature-flags.ts';
import { isLoopbackHost } from './loopback.ts';
import { loadSettings } from './settings.ts';
import type { Environment, Role } from './settings-model.ts';

const DATABASE = { SPINE_DATABASE_URL: 'postgresql://spine:pw@db:5432/spine' };
const KEY = 'abcdefgh.ijkl-mnop_0';

function problemOf(env: Environment, role: Role = 'launcher'): string {
  try {
    loadSettings(env, { role });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('the settings were accepted');
}

describe('defaults', () => {
  it('are the documented ones, with absolute folders', () => {
    const settings = loadSettings({}, { role: 'launcher', cwd: '/project' });
    expect(settings).toEqual({
      role: 'launcher',
      tier: 'minimal',
      api: {
        host: '127.0.0.1',
        port: 3000,
        portIsExplicit: false,
        keys: [],
        open: true,
        rateLimitPerMinute: 6_000,
        eventStreamsPerKey: 50,
        trustProxyHops: 0,
      },
      database: { url: undefined, poolSize: 10 },
      redis: { url: undefined },
      worker: {
        count: 2,
        concurrency: 200,
        lanes: ['default', 'backfill', 'slow'],
        environment: 'production',
        leaseSeconds: 30,
        threads: { count: undefined, memoryMb: 512, root: undefined },
        maxRssMb: 0,
        maxRuns: 0,
        eagerStart: true,
      },
      retention: { days: undefined, ledger: new Map() },
      log: { level: 'info' },
      runLog: { level: 'info' },
      payloads: { inlineBytes: 131_072, maxBytes: 16_777_216, dir: undefined },
      backup: { dir: undefined, program: 'pg_dump' },
      eventBus: { backend: 'auto' },
      secrets: {
        dir: '/run/secrets',
        ttlSeconds: 300,
        vault: undefined,
        aws: { region: undefined, endpoint: undefined },
      },
      flags: expect.any(FeatureFlags) as unknown,
      dataDir: '/project/.spine',
      dataRoots: ['/project/data', '/project/libs/domains/finra-otc/fixtures'],
      shutdownGraceSeconds: 8,
      healthPort: undefined,
      warnings: [],
    });
  });

  it('stand for variables that are set to nothing', () => {
    const empty = loadSettings({ SPINE_PORT: '', SPINE_REDIS_URL: '  ' }, { role: 'launcher' });
    expect(empty.api).toMatchObject({ port: 3000, portIsExplicit: false });
    expect(empty.redis.url).toBeUndefined();
  });
});

describe('given values', () => {
  it('are parsed', () => {
    const settings = loadSettings(
      {
        SPINE_HOST: '0.0.0.0',
        SPINE_PORT: '0',
        SPINE_API_KEYS: `${KEY}, ${KEY}x,${KEY}`,
        SPINE_DATABASE_URL: 'postgres://u:p@h/d',
        SPINE_DATABASE_POOL: '25',
        SPINE_REDIS_URL: 'rediss://h:6380/1',
        SPINE_DATA_DIR: '/var/spine',
        SPINE_DATA_ROOTS: '/a:b::/a',
        SPINE_WORKERS: '0',
        SPINE_WORKER_CONCURRENCY: '5000',
        SPINE_LANES: 'fast, slow_2,fast',
        SPINE_ENVIRONMENT: 'dev',
        SPINE_LOG_LEVEL: 'silent',
        SPINE_RUN_LOG_LEVEL: 'warn',
        SPINE_PAYLOAD_INLINE_KB: '1',
        SPINE_PAYLOAD_MAX_MB: '256',
        SPINE_PAYLOAD_DIR: 'payloads',
        SPINE_BACKUP_DIR: 'backups',
        SPINE_ADMIN_DATABASE_URL: 'postgres://owner:p@h/d',
        SPINE_SHUTDOWN_GRACE_SECONDS: '30',
        SPINE_LEASE_SECONDS: '12',
        SPINE_WORKER_MAX_RSS_MB: '512',
        SPINE_WORKER_MAX_RUNS: '10000',
        SPINE_WORKER_EAGER_START: 'false',
        SPINE_WORKER_THREADS: '3',
        SPINE_WORKER_THREAD_MEMORY_MB: '64',
        SPINE_WORKER_CODE_DIR: 'handlers',
        SPINE_RETENTION_DAYS: '90',
        SPINE_LEDGER_RETENTION: 'work_items=30',
        SPINE_HEALTH_PORT: '9100',
      },
      { role: 'worker', cwd: '/project' },
    );
    expect(settings.api).toMatchObject({ host: '0.0.0.0', port: 0, portIsExplicit: true, open: false });
    expect(settings.api.keys.map((key) => key.reveal())).toEqual([KEY, `${KEY}x`]);
    expect(settings.database.url.reveal()).toBe('postgres://u:p@h/d');
    expect(settings.database.adminUrl?.reveal()).toBe('postgres://owner:p@h/d');
    expect(settings.backup.dir).toBe('/project/backups');
    expect(settings.database.poolSize).toBe(25);
    expect(settings.redis.url?.reveal()).toBe('rediss://h:6380/1');
    expect(settings.dataDir).toBe('/var/spine');
    expect(settings.dataRoots).toEqual(['/a', '/project/b']);
    expect(settings.worker).toEqual({
      count: 0,
      concurrency: 5000,
      lanes: ['fast', 'slow_2'],
      environment: 'dev',
      leaseSeconds: 12,
      eagerStart: false,
      threads: { count: 3, memoryMb: 64, root: '/project/handlers' },
      maxRssMb: 512,
      maxRuns: 10_000,
    });
    expect(settings.retention.days).toBe(90);
    expect([...settings.retention.ledger]).toEqual([['work_items', 30]]);
    expect(settings.log.level).toBe('silent');
    expect(settings.runLog.level).toBe('warn');
    expect(settings.payloads).toEqual({
      inlineBytes: 1_024,
      maxBytes: 268_435_456,
      dir: '/project/payloads',
    });
    expect(settings.shutdownGraceSeconds).toBe(30);
    expect(settings.healthPort).toBe(9100);
  });

  it.each([
    ['SPINE_HOST', 'not a host'],
    ['SPINE_HOST', '300.1.1.1'],
    ['SPINE_HOST', 'http://localhost'],
    ['SPINE_PORT', '65536'],
    ['SPINE_PORT', '-1'],
    ['SPINE_PORT', '3e3'],
    ['SPINE_PORT', '0x10'],
    ['SPINE_PORT', '3000.5'],
    ['SPINE_DATABASE_POOL', '0'],
    ['SPINE_WORKERS', '65'],
    ['SPINE_WORKER_CONCURRENCY', '5001'],
    ['SPINE_WORKER_CONCURRENCY', '0'],
    ['SPINE_LANES', 'Default'],
    ['SPINE_LANES', ','],
    ['SPINE_LANES', `a${'b'.repeat(63)}`],
    ['SPINE_ENVIRONMENT', 'Dev 1'],
    ['SPINE_LOG_LEVEL', 'verbose'],
    ['SPINE_RUN_LOG_LEVEL', 'all'],
    ['SPINE_PAYLOAD_INLINE_KB', '1025'],
    ['SPINE_PAYLOAD_INLINE_KB', '0'],
    ['SPINE_PAYLOAD_MAX_MB', '257'],
    ['SPINE_PAYLOAD_DIR', 'a\0b'],
    ['SPINE_SHUTDOWN_GRACE_SECONDS', 'long'],
    ['SPINE_LEASE_SECONDS', '4'],
    ['SPINE_WORKER_MAX_RSS_MB', '127'],
    ['SPINE_WORKER_MAX_RSS_MB', '1e3'],
    ['SPINE_WORKER_MAX_RUNS', '-1'],
    ['SPINE_WORKER_EAGER_START', 'on'],
    ['SPINE_WORKER_THREADS', '0'],
    ['SPINE_WORKER_THREADS', '257'],
    ['SPINE_WORKER_THREAD_MEMORY_MB', '15'],
    ['SPINE_WORKER_CODE_DIR', 'a\0b'],
    ['SPINE_RETENTION_DAYS', '0.5'],
    ['SPINE_RETENTION_DAYS', '36501'],
    ['SPINE_LEDGER_RETENTION', 'work_items=29'],
    ['SPINE_LEDGER_RETENTION', 'rejects=36500'],
    ['SPINE_HEALTH_PORT', '70000'],
    ['SPINE_DATA_ROOTS', ':'],
    ['SPINE_DATA_DIR', 'a\0b'],
  ])('%s=%j is refused with name, value and what is allowed', (name, value) => {
    const problem = problemOf({ [name]: value });
    expect(problem).toContain('1 setting is not usable');
    expect(problem).toContain(`${name}: given ${JSON.stringify(value)}; allowed: `);
  });

  it.each([
    ['SPINE_API_KEYS', 'hunter2'],
    ['SPINE_API_KEYS', `${KEY},with space hunter2`],
    ['SPINE_DATABASE_URL', 'mysql://root:hunter2@h/d'],
    ['SPINE_DATABASE_URL', 'hunter2@h'],
    ['SPINE_DATABASE_URL', 'postgres:/u:hunter2@h'],
    ['SPINE_DATABASE_URL', 'postgres://u:hunter2@h:port/d'],
    ['SPINE_REDIS_URL', 'http://:hunter2@h'],
  ])('%s=%j is refused without showing it', (name, value) => {
    const problem = problemOf({ [name]: value });
    expect(problem).toContain(`${name}: given a`);
    expect(problem).toContain('allowed: ');
    expect(problem).not.toContain('hunter2');
  });

  it('are all reported at once, what a role requires included', () => {
    const problem = problemOf({ SPINE_PORT: 'x', SPINE_LANES: '9', SPINE_HOST: '::' }, 'api');
    expect(problem.split('\n')).toEqual([
      '4 settings are not usable:',
      expect.stringContaining('SPINE_PORT: given "x"'),
      expect.stringContaining('SPINE_LANES: given "9"'),
      expect.stringContaining('SPINE_DATABASE_URL: not set'),
      expect.stringContaining('SPINE_API_KEYS: not set, and SPINE_HOST is "::"'),
    ]);
  });
});

describe('roles', () => {
  it.each(['api', 'worker', 'scheduler', 'migrate'] as const)('%s requires a database', (role) => {
    expect(problemOf({}, role)).toContain('SPINE_DATABASE_URL: not set');
    expect(loadSettings(DATABASE, { role }).database.url.reveal()).toBe(DATABASE.SPINE_DATABASE_URL);
  });

  it.each(['api', 'launcher'] as const)('%s refuses an open API on a reachable address', (role) => {
    for (const host of ['0.0.0.0', '::', '192.168.1.5', 'spine.example.org']) {
      expect(problemOf({ ...DATABASE, SPINE_HOST: host }, role)).toContain('SPINE_API_KEYS: not set');
      const keyed = loadSettings({ ...DATABASE, SPINE_HOST: host, SPINE_API_KEYS: KEY }, { role });
      expect(keyed.api.open).toBe(false);
    }
  });

  it('a worker, which serves no API, does not need keys', () => {
    const settings = loadSettings({ ...DATABASE, SPINE_HOST: '0.0.0.0' }, { role: 'worker' });
    expect(settings.api.open).toBe(false);
  });

  it('keys close the API on a loopback address too', () => {
    expect(loadSettings({ SPINE_API_KEYS: KEY }, { role: 'launcher' }).api.open).toBe(false);
  });
});

describe('isLoopbackHost', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST'])('%s', (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });
  it.each(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example.org', '::ffff:10.0.0.1'])(
    'not %s',
    (host) => {
      expect(isLoopbackHost(host)).toBe(false);
    },
  );
});

describe('warnings', () => {
  it('name unknown variables and what was probably meant', () => {
    const settings = loadSettings(
      {
        SPINE_PROT: '1',
        SPINE_WORKER: '2',
        spine_port: '3',
        SPINE_SOMETHING_ELSE: '4',
        SPINE_TEST_REDIS_URL: '5',
        PATH: '6',
      },
      { role: 'launcher' },
    );
    expect(settings.warnings).toEqual([
      'SPINE_PROT is not a Spine setting and is ignored; did you mean SPINE_PORT?',
      'SPINE_SOMETHING_ELSE is not a Spine setting and is ignored',
      'SPINE_WORKER is not a Spine setting and is ignored; did you mean SPINE_WORKERS?',
      'spine_port is not a Spine setting and is ignored; did you mean SPINE_PORT?',
    ]);
  });
});
