/** docker-compose.yml: what has to hold for `docker compose up --scale worker=3` to work from a clone. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { loadSettings, VARIABLE_NAMES } from '@spine/config';
import { environmentOf, projectFile, readCompose, seconds, serviceOf, variableUses } from './compose-file.ts';
import { parseStages, targets } from './dockerfile.ts';

const text = readFileSync(projectFile('docker-compose.yml'), 'utf8');
const external = readFileSync(projectFile('deploy/compose.external.yml'), 'utf8');
const compose = readCompose();
const all = Object.entries(compose.services);
const PROCESSES = ['api', 'worker', 'scheduler'] as const;
const OURS = [...PROCESSES, 'migrate'] as const;
const known: readonly string[] = VARIABLE_NAMES;

describe('from a clone with nothing set', () => {
  it('has a default for every variable it uses', () => {
    expect(variableUses(text).length).toBeGreaterThan(0);
    expect(variableUses(text).filter((use) => !/^\w+:-.+$/.test(use))).toEqual([]);
  });

  it('gives every process settings that it accepts', () => {
    for (const role of OURS) {
      const settings = loadSettings(environmentOf(serviceOf(compose, role)), { role });
      expect(settings.database.url.reveal(), role).toBe('postgres://spine:spine@postgres:5432/spine');
      expect(settings.redis.url?.reveal(), role).toBe(role === 'migrate' ? undefined : 'redis://redis:6379');
    }
  });

  it('sets only variables that Spine knows, and passes on what only some processes read', () => {
    for (const role of OURS) {
      const names = Object.keys(serviceOf(compose, role).environment);
      expect(names.filter((name) => !known.includes(name))).toEqual([]);
      expect(names).toContain('SPINE_LOG_LEVEL');
    }
    expect(serviceOf(compose, 'worker').environment).toHaveProperty('SPINE_WORKER_CONCURRENCY', null);
    for (const limit of [
      'SPINE_RATE_LIMIT_PER_MINUTE',
      'SPINE_EVENT_STREAMS_PER_KEY',
      'SPINE_TRUST_PROXY_HOPS',
    ]) {
      expect(serviceOf(compose, 'api').environment).toHaveProperty(limit, null);
    }
    for (const role of ['worker', 'scheduler']) {
      expect(serviceOf(compose, role).environment).toHaveProperty('SPINE_LANES', null);
    }
  });

  it('uses the password of the database in all places or in none', () => {
    const changed = readCompose({ POSTGRES_PASSWORD: 'changed' });
    expect(serviceOf(changed, 'postgres').environment['POSTGRES_PASSWORD']).toBe('changed');
    for (const role of OURS) {
      expect(environmentOf(serviceOf(changed, role))['SPINE_DATABASE_URL']).toContain(
        'spine:changed@postgres',
      );
    }
  });

  it('builds the targets of the Dockerfile and pulls images of a named version', () => {
    for (const [name, { image, build }] of all) {
      expect(image === undefined, `${name} has either an image or a build`).toBe(build !== undefined);
      if (image !== undefined) expect(image).toMatch(/^[a-z]+:\d+(?:\.\d+)*$/);
      if (build !== undefined)
        expect(build).toEqual({ context: '.', dockerfile: 'deploy/Dockerfile', target: name });
    }
    const images = targets(parseStages(readFileSync(projectFile('deploy/Dockerfile'), 'utf8')));
    expect(images.sort()).toEqual([...OURS].sort());
  });
});

describe('order', () => {
  it('migrates a healthy database, and starts the processes after that', () => {
    expect(serviceOf(compose, 'migrate').depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(serviceOf(compose, 'migrate').restart).toBe('no');
    for (const role of PROCESSES) {
      expect(serviceOf(compose, role).depends_on).toEqual({
        postgres: { condition: 'service_healthy' },
        redis: { condition: 'service_healthy' },
        migrate: { condition: 'service_completed_successfully' },
      });
    }
  });

  it('asks every service that stays for its health', () => {
    for (const [name, { healthcheck, restart }] of all) {
      expect(healthcheck !== undefined, name).toBe(name !== 'migrate');
      if (name !== 'migrate') expect(restart, name).toBe('unless-stopped');
    }
  });

  it('asks the processes where they answer, with a program of the image', () => {
    const ports = Object.fromEntries(
      PROCESSES.map((role) => {
        const settings = loadSettings(environmentOf(serviceOf(compose, role)), { role });
        return [role, role === 'api' ? settings.api.port : settings.healthPort];
      }),
    );
    for (const role of PROCESSES) {
      expect(serviceOf(compose, role).healthcheck?.test).toEqual([
        'CMD',
        'node',
        'deploy/healthcheck.mjs',
        `http://127.0.0.1:${ports[role]}/health/ready`,
      ]);
    }
    expect(existsSync(projectFile('deploy/healthcheck.mjs'))).toBe(true);
  });

  it('asks Postgres over TCP, where its temporary server does not answer', () => {
    expect(serviceOf(compose, 'postgres').healthcheck?.test).toContain('--host=127.0.0.1');
  });

  it('gives a worker more time to stop than the worker takes to hand back its runs', () => {
    const worker = serviceOf(compose, 'worker');
    const { shutdownGraceSeconds } = loadSettings(environmentOf(worker), { role: 'worker' });
    expect(seconds(worker.stop_grace_period)).toBeGreaterThanOrEqual(shutdownGraceSeconds + 5);
  });
});

describe('scaling', () => {
  it('names no container', () => {
    expect(all.filter(([, { container_name: name }]) => name !== undefined)).toEqual([]);
  });

  it('takes no port of the host for a worker', () => {
    expect(serviceOf(compose, 'worker').ports).toEqual([]);
  });

  it('starts as many workers as SPINE_WORKERS says', () => {
    expect(serviceOf(compose, 'worker').scale).toBe(2);
    expect(serviceOf(readCompose({ SPINE_WORKERS: '5' }), 'worker').scale).toBe(5);
  });
});

describe('exposure', () => {
  it('publishes the API alone, and on the loopback address alone', () => {
    const { port } = loadSettings(environmentOf(serviceOf(compose, 'api')), { role: 'api' }).api;
    expect(all.flatMap(([name, { ports }]) => ports.map((each) => [name, each]))).toEqual([
      ['api', `127.0.0.1:3000:${port}`],
    ]);
    expect(serviceOf(readCompose({ SPINE_PORT: '3555' }), 'api').ports).toEqual([`127.0.0.1:3555:${port}`]);
  });

  it('asks for a key: the one of the file, or those of SPINE_API_KEYS', () => {
    const keysOf = (env: Record<string, string>): string[] => {
      const { api } = loadSettings(environmentOf(serviceOf(readCompose(env), 'api')), { role: 'api' });
      expect([api.host, api.open]).toEqual(['0.0.0.0', false]);
      return api.keys.map((key) => key.reveal());
    };
    expect(keysOf({})).toEqual(['spine-compose-local-key']);
    expect(keysOf({ SPINE_API_KEYS: 'first-key-of-mine,second-key-of-mine' })).toEqual([
      'first-key-of-mine',
      'second-key-of-mine',
    ]);
  });

  it('lets the processes do no more than they need', () => {
    for (const role of OURS) {
      expect(serviceOf(compose, role)).toMatchObject({
        init: true,
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        mem_limit: expect.stringMatching(/^\d+[mg]$/) as string,
      });
    }
    for (const [name, { user, privileged, network_mode: network, volumes }] of all) {
      expect([user, privileged, network], name).toEqual([undefined, undefined, undefined]);
      expect(JSON.stringify(volumes), name).not.toContain('docker.sock');
    }
  });
});

describe('data', () => {
  it('keeps Postgres and Redis in named volumes', () => {
    expect(serviceOf(compose, 'postgres').volumes).toEqual(['postgres-data:/var/lib/postgresql/data']);
    expect(serviceOf(compose, 'redis').volumes).toEqual(['redis-data:/data']);
    expect(Object.keys(compose.volumes)).toEqual(['postgres-data', 'redis-data']);
  });

  it('leaves Postgres durable', () => {
    const { command = [] } = serviceOf(compose, 'postgres');
    expect(command.join(' ')).not.toMatch(/fsync|synchronous_commit|full_page_writes/);
  });

  it('makes Redis keep every key, on disk too', () => {
    const { command = [] } = serviceOf(compose, 'redis');
    const option = (name: string): string | undefined => command[command.indexOf(name) + 1];
    expect([option('--appendonly'), option('--maxmemory-policy')]).toEqual(['yes', 'noeviction']);
  });

  it('mounts ./data read-only as a data root, and has the samples of the image as another', () => {
    for (const role of ['api', 'worker'] as const) {
      const service = serviceOf(compose, role);
      expect(service.volumes).toEqual([
        expect.objectContaining({ source: './data', target: '/data', read_only: true }),
      ]);
      const { dataRoots } = loadSettings(environmentOf(service), { role });
      expect(dataRoots).toEqual(['/data', '/app/libs/domains/finra-otc/fixtures']);
      expect(existsSync(projectFile('libs/domains/finra-otc/fixtures'))).toBe(true);
    }
  });

  it('bounds every log', () => {
    for (const [name, { logging }] of all) {
      expect(Object.keys(logging.options).sort(), name).toEqual(['max-file', 'max-size']);
    }
  });
});

describe('deploy/compose.external.yml', () => {
  it('asks for both servers and the keys, and sets only variables that Spine knows', () => {
    expect(external.match(/\$\{\w+:\?/g)).toEqual([
      '${SPINE_DATABASE_URL:?',
      '${SPINE_REDIS_URL:?',
      '${SPINE_API_KEYS:?',
    ]);
    const names = [...external.matchAll(/^ {2,}(SPINE_\w+):/gm)].map((match) => match[1] ?? '');
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });

  it('is YAML', () => {
    expect(parseDocument(external, { merge: true }).errors).toEqual([]);
  });
});

const hasCompose = spawnSync('docker', ['compose', 'version'], { stdio: 'ignore' }).status === 0;

/** What `docker compose config` says, with these variables and none of the caller's. */
function config(
  files: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { code: number | null; output: string } {
  const { PATH = '', HOME = '' } = process.env;
  const args = ['compose', ...files.flatMap((file) => ['--file', file]), 'config', '--quiet'];
  const ran = spawnSync('docker', args, {
    cwd: projectFile('.'),
    encoding: 'utf8',
    env: { PATH, HOME, ...env },
  });
  return { code: ran.status, output: `${ran.stdout}${ran.stderr}` };
}

describe.runIf(hasCompose)('docker compose config', () => {
  const EXTERNAL = ['docker-compose.yml', 'deploy/compose.external.yml'];
  const set = {
    SPINE_DATABASE_URL: 'postgres://spine_service:x@db.example.org/spine',
    SPINE_REDIS_URL: 'redis://cache.example.org',
    SPINE_API_KEYS: 'first-key-of-mine',
  };

  it('accepts docker-compose.yml as it is', () => {
    expect(config(['docker-compose.yml'])).toEqual({ code: 0, output: '' });
  });

  it('accepts it with servers of one’s own', () => {
    expect(config(EXTERNAL, set)).toEqual({ code: 0, output: '' });
  });

  it.each(Object.keys(set))('refuses that without %s', (name) => {
    const { code, output } = config(EXTERNAL, { ...set, [name]: '' });
    expect(code).not.toBe(0);
    expect(output).toContain(name);
  });
});
