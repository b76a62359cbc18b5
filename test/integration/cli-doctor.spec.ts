/** `spine doctor` against real faults: each is made, found, and gone again. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { acquireLock, longTransactions, pauseLane, registerWorker, resumeLane } from '@spine/database';
import { identifyProcess } from '@spine/database/embedded';
import { freePort, startRedisServer } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { spine } from './cli-support.ts';
import { claimed, openEngineDatabase, shift, store, runOf } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

interface Found {
  readonly id: string;
  readonly subject: string;
  readonly severity: string;
  readonly message: string;
  readonly measured: Readonly<Record<string, unknown>>;
  readonly fix: string | null;
}

interface Report {
  readonly code: number;
  readonly text: string;
  readonly findings: readonly Found[];
  /** The finding of this id that is worst. */
  readonly of: (id: string) => Found | undefined;
}

const CANARY = 'canary-0f6e1d';

let database: EngineDatabase;
let folder: string;
beforeAll(async () => {
  database = await openEngineDatabase();
});
afterAll(() => database.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spine-doctor-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function doctor(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  url = 'http://127.0.0.1:9',
): Promise<Report> {
  const { code, out } = await spine(['doctor', '--json', ...args], {
    url,
    cwd: folder,
    env: { SPINE_DATABASE_URL: database.connectionString, ...env },
  });
  const { findings } = JSON.parse(out) as { findings: readonly Found[] };
  const worst = ['error', 'warning', 'info', 'ok'];
  return {
    code,
    text: out,
    findings,
    of: (id) =>
      findings
        .filter((finding) => finding.id === id)
        .sort((a, b) => worst.indexOf(a.severity) - worst.indexOf(b.severity))[0],
  };
}

async function register(version: string, handlers: readonly string[] = ['task:echo']): Promise<string> {
  const workerId = newId();
  const worker = { workerId, hostname: 'h', pid: 1, version, lanes: ['default'], handlers, slots: 4 };
  await registerWorker(database.pool, worker);
  return workerId;
}

describe('the database', () => {
  const look = (): Promise<Report> => doctor(['--only', 'database']);

  it('is measured as it is', async () => {
    const { rows } = await database.admin.query<{ fsync: string; version: string }>(
      `SELECT current_setting('fsync') AS fsync, split_part(current_setting('server_version'), ' ', 1) AS version`,
    );
    const report = await look();
    expect(report.of('database_version')).toMatchObject({
      severity: 'ok',
      measured: { version: rows[0]?.version },
    });
    // The tests' own server forgoes durability, which is a fault to find.
    expect(report.of('database_durability')?.severity).toBe(rows[0]?.fsync === 'off' ? 'error' : 'ok');
    for (const id of [
      'reachable',
      'clock',
      'migrations',
      'grants',
      'load',
      'transactions',
      'tables',
      'indexes',
    ]) {
      expect(report.of(`database_${id}`)?.severity, id).toBe('ok');
    }
    expect(new Set(report.findings.map(({ subject }) => subject))).toEqual(new Set(['database']));
  });

  it('lacks a migration, or has one that was edited, or is not known', async () => {
    const { rows } = await database.admin.query<{ version: number; name: string; checksum: string }>(
      'SELECT version, name, checksum FROM schema_migrations ORDER BY version DESC LIMIT 1',
    );
    const last = rows[0];
    if (last === undefined) throw new Error('nothing was applied');
    const edit = (checksum: string) =>
      database.admin.query('UPDATE schema_migrations SET checksum = $1 WHERE version = $2', [
        checksum,
        last.version,
      ]);

    await edit('other');
    expect((await look()).of('database_migrations')).toMatchObject({
      severity: 'error',
      measured: { edited: last.name },
    });
    await database.admin.query('UPDATE schema_migrations SET version = 9999 WHERE version = $1', [
      last.version,
    ]);
    expect((await look()).of('database_migrations')?.measured).toMatchObject({ unknown: last.name });
    await database.admin.query('DELETE FROM schema_migrations WHERE version = 9999');
    const report = await look();
    expect(report.code).toBe(1);
    expect(report.of('database_migrations')).toMatchObject({
      severity: 'error',
      measured: { pending: [last.name] },
      fix: 'spine db migrate',
    });
    await database.admin.query(
      'INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)',
      [last.version, last.name, last.checksum],
    );
  });

  it('gives the services too few rights, or too many', async () => {
    await database.admin.query(
      'GRANT UPDATE ON run_events TO spine_app; REVOKE SELECT ON locks FROM spine_app',
    );
    const { of } = await look();
    await database.admin.query(
      'REVOKE UPDATE ON run_events FROM spine_app; GRANT SELECT ON locks TO spine_app',
    );
    expect(of('database_grants')).toMatchObject({
      severity: 'error',
      measured: { unusable: ['locks'], rewritable: ['run_events'] },
    });
  });

  it('has an index that could not be built', async () => {
    await register('1.0.0');
    await register('1.0.0');
    await expect(
      database.admin.query('CREATE UNIQUE INDEX CONCURRENTLY doctor_broken ON workers (version)'),
    ).rejects.toThrow('could not create unique index');
    const { of } = await look();
    await database.admin.query('DROP INDEX doctor_broken');
    expect(of('database_indexes')).toMatchObject({
      severity: 'warning',
      measured: { invalid: ['doctor_broken'] },
    });
  });

  it('has a transaction that somebody left open, told without its statement', async () => {
    const client = await database.admin.connect();
    try {
      await client.query(`BEGIN; SELECT '${CANARY}'`);
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const open = await longTransactions(database.admin, 0);
      expect(open).toContainEqual(
        expect.objectContaining({ pid: rows[0]?.pid, application: 'spine', state: 'idle in transaction' }),
      );
      expect(JSON.stringify(open)).not.toContain(CANARY);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  });

  it('cannot be reached: one finding, and no password', async () => {
    const refused = new URL(database.connectionString);
    refused.password = CANARY;
    refused.port = String(await freePort());
    const unknown = new URL(database.connectionString);
    unknown.password = CANARY;
    unknown.username = 'nobody_of_that_name';
    for (const url of [refused, unknown]) {
      const report = await doctor(['--only', 'workers,work'], {
        SPINE_DATABASE_URL: url.toString(),
      });
      expect(report.code).toBe(1);
      expect(report.findings).toHaveLength(1);
      expect(report.of('database_reachable')).toMatchObject({
        severity: 'error',
        fix: expect.stringContaining('SPINE_DATABASE_URL') as string,
      });
      expect(report.text).not.toContain(CANARY);
    }
  });
});

describe('workers, schedulers and work', () => {
  beforeEach(() => database.clear());
  const look = (): Promise<Report> => doctor(['--only', 'workers,schedulers,work']);

  it('are told to be missing, and runs that wait for them', async () => {
    const [waits] = await store(database.pool, [runOf({ name: 'nobody' })]);
    await shift(database.admin, [waits ?? ''], 'available_at', '-10 minutes');
    const none = await look();
    expect(none.code).toBe(1);
    expect(none.of('workers_live')?.severity).toBe('error');
    expect(none.of('schedulers_live')?.severity).toBe('error');
    expect(none.of('work_waiting')).toMatchObject({ severity: 'warning', measured: { run_ids: [waits] } });
    expect(none.of('workers_unserved')?.fix).toContain('SPINE_LANES=default');

    await register('1.0.0');
    const unknowing = await look();
    expect(unknowing.of('workers_live')?.severity).toBe('ok');
    expect(unknowing.of('workers_unserved')).toMatchObject({
      severity: 'error',
      measured: { handlers: ['task:nobody in lane default'], due: 1 },
      fix: expect.stringContaining('has the handler') as string,
    });

    await register('1.1.0', ['task:nobody']);
    const mixed = await look();
    expect(mixed.of('workers_unserved')?.severity).toBe('ok');
    expect(mixed.of('workers_versions')?.measured).toEqual({ versions: ['1.0.0', '1.1.0'] });

    await pauseLane(database.pool, 'default', 'ann', null);
    const paused = await look();
    await resumeLane(database.pool, 'default');
    expect(paused.of('work_paused_lanes')?.measured).toEqual({ lanes: ['default'] });
    expect(paused.of('work_waiting')?.severity).toBe('ok');
  });

  it('leave runs behind when they are gone', async () => {
    const worker = await register('1.0.0');
    const run = await claimed(database.pool);
    await shift(database.admin, [run.runId], 'lease_expires_at', '-2 minutes');
    await database.admin.query(`UPDATE workers SET last_seen_at = now() - interval '1 hour'`);
    await database.admin.query(
      `INSERT INTO concurrency_holds (key, run_id, epoch, claimed_at) VALUES ('left', $1, 1, now() - interval '1 hour')`,
      [newId()],
    );
    await database.admin.query(
      `INSERT INTO workflow_inbox (workflow_run_id, event, due_at) VALUES ($1, '{}', now() - interval '2 minutes')`,
      [newId()],
    );
    await database.admin.query(
      `INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count)
       VALUES ($1, 'task', 'broken', 'default', '{}', '{}', 'UNKNOWN', 3, 0)`,
      [newId()],
    );
    const report = await look();
    await database.admin.query('TRUNCATE workflow_inbox');
    expect(report.code).toBe(1);
    expect(report.of('workers_silent')?.measured).toEqual({ silent: [worker] });
    expect(report.of('work_leases')).toMatchObject({ severity: 'error', measured: { run_ids: [run.runId] } });
    expect(report.of('work_holds')).toMatchObject({
      severity: 'warning',
      measured: { holds: 1, keys: ['left'] },
    });
    expect(report.of('work_workflows')).toMatchObject({
      severity: 'error',
      measured: { workflows: 1, events: 1 },
    });
    expect(report.of('work_dead_letters')).toMatchObject({
      severity: 'warning',
      measured: { pending: 1, handlers: ['task:broken'] },
    });
  });

  it('do not decide about a schedule that is due', async () => {
    await database.admin.query(
      `INSERT INTO schedules (schedule_id, name, state, target_kind, target_name, work, schedule_type, interval_seconds,
         interval_anchor, timezone, misfire_policy, misfire_grace_seconds, catch_up_limit, catch_up_spacing_seconds,
         catch_up_lane, overlap_policy, max_instances, frequent, next_fire_at, created_by)
       VALUES ($1, 'late', 'active', 'task', 'echo', '{}', 'interval', 60, now(), 'UTC', 'skip', 60, 1, 0, 'default',
         'allow', 1, false, now() - interval '1 minute', 'ann')`,
      [newId()],
    );
    const alone = await look();
    expect(alone.of('schedules_overdue')).toMatchObject({ severity: 'error', measured: { late: 1 } });
    await acquireLock(database.pool, { key: 'scheduler:h:1', owner: 'h:1', ttlMs: 60_000 });
    const late = await look();
    expect(late.of('schedulers_live')?.severity).toBe('ok');
    expect(late.of('schedules_overdue')?.severity).toBe('warning');
    await database.admin.query('TRUNCATE schedules, schedule_runs, locks');
    expect((await look()).of('schedules_overdue')?.severity).toBe('ok');
  });
});

describe('Redis and the API', () => {
  let redis: RedisServer;
  let api: Api;
  const key = randomKey();
  beforeAll(async () => {
    redis = await startRedisServer();
    const admin = new Redis(redis.url);
    await admin.config('SET', 'requirepass', CANARY);
    admin.disconnect();
    const url = new URL(redis.url);
    url.password = CANARY;
    api = await startApi({
      keys: [key],
      databaseUrl: database.connectionString,
      redisUrl: url.toString(),
      queue: null,
    });
  });
  afterAll(async () => {
    await api.close();
    await redis.stop();
  });
  const withPassword = (password = CANARY): Record<string, string> => {
    const url = new URL(redis.url);
    url.password = password;
    return { SPINE_REDIS_URL: url.toString() };
  };

  it('are told as they are, with the faults of each', async () => {
    const admin = new Redis(withPassword()['SPINE_REDIS_URL'] ?? '');
    try {
      const fine = await doctor(['--only', 'redis'], withPassword());
      expect(fine.of('redis_policy')?.severity).toBe('ok');
      expect(fine.of('redis_persistence')?.measured).toMatchObject({ append_only: false, snapshots: false });
      expect(fine.of('redis_memory')?.severity).toBe('ok');
      expect(fine.code).toBe(0);

      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      await admin.config('SET', 'appendonly', 'yes');
      await admin.config('SET', 'maxmemory', '1mb');
      await admin.replicaof('127.0.0.1', 1);
      const { of, code } = await doctor(['--only', 'redis'], withPassword());
      expect(code).toBe(1);
      expect(of('redis_policy')).toMatchObject({
        severity: 'error',
        measured: { maxmemory_policy: 'allkeys-lru' },
        fix: expect.stringContaining('noeviction') as string,
      });
      expect(of('redis_memory')?.severity).toBe('error');
      expect(of('redis_persistence')?.severity).toBe('ok');
      expect(of('redis_role')?.severity).toBe('error');
    } finally {
      await admin.replicaof('NO', 'ONE');
      await admin.config('SET', 'maxmemory', '0');
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      admin.disconnect();
    }
  });

  it('has a key, or none, or one that is refused', async () => {
    const ask = (env: Record<string, string>): Promise<Report> => doctor(['--only', 'api'], env, api.url);
    const asked = await ask({ SPINE_API_KEY: key });
    expect(asked.of('api_reachable')?.measured).toMatchObject({ url: api.url });
    expect(asked.of('api_key')?.severity).toBe('ok');
    expect(asked.of('api_version')?.severity).toBe('ok');
    await register('0.0.1-older');
    const refused = await ask({ SPINE_API_KEY: `${CANARY}-and-more` });
    expect(refused.of('api_key')?.severity).toBe('warning');
    expect(refused.of('api_version')).toMatchObject({
      severity: 'warning',
      measured: { workers: ['0.0.1-older'] },
    });
    expect(refused.text).not.toContain(CANARY);
  });

  it('are told when they do not answer, let nobody in, or are gone; without a password', async () => {
    const wrong = await doctor(['--only', 'redis'], withPassword(`${CANARY}-wrong`));
    expect(wrong.of('redis_reachable')).toMatchObject({ severity: 'error' });
    await redis.pause();
    const frozen = await doctor(['--only', 'redis', '--timeout', '300ms'], withPassword());
    await redis.resume();
    await redis.kill();
    const gone = await doctor(['--only', 'redis,api'], { ...withPassword(), SPINE_API_KEY: key }, api.url);
    expect([wrong.code, frozen.code, gone.code]).toEqual([1, 1, 1]);
    expect(frozen.of('redis_reachable') ?? frozen.of('check_failed')).toMatchObject({ severity: 'error' });
    expect(gone.of('redis_reachable')).toMatchObject({ severity: 'error' });
    expect(gone.of('api_dependencies')).toMatchObject({ severity: 'error', measured: { down: ['queue'] } });
    expect(wrong.text + frozen.text + gone.text).not.toContain(CANARY);
  });

  it('are told as not there', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const report = await doctor(['--only', 'api,redis'], {}, url);
    expect(report.of('api_reachable')).toMatchObject({ severity: 'error', measured: { url } });
    expect(report.of('redis_reachable')?.severity).toBe('info');
  });

  it('the API is the one that was started in this folder, where no setting names one', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { pid, startTime } = identifyProcess(process.pid);
    mkdirSync(join(folder, '.spine'));
    writeFileSync(
      join(folder, '.spine', 'launcher.json'),
      JSON.stringify({
        token: 't',
        launcher: { pid, start_time: startTime },
        state: 'running',
        url,
        children: [],
      }),
    );
    const report = await doctor(['--only', 'api'], { SPINE_URL: '' });
    expect(report.of('api_reachable')).toMatchObject({
      severity: 'error',
      message: expect.stringContaining('says launcher.json') as string,
      measured: { url, origin: 'launcher' },
    });
  });
});

describe('this machine', () => {
  const look = (env: Readonly<Record<string, string>>): Promise<Report> =>
    doctor(['--only', 'environment'], env);

  it('says what is set where, which secrets others can read, and which folders are missing', async () => {
    const env = join(folder, '.env');
    writeFileSync(env, `SPINE_API_KEY=${CANARY}\n`);
    chmodSync(env, 0o644);
    writeFileSync(join(folder, 'file'), '');
    const report = await look({
      SPINE_DATA_ROOTS: join(folder, 'gone'),
      SPINE_PAYLOAD_DIR: join(folder, 'file'),
    });
    expect(report.of('node_version')?.severity).toBe('ok');
    expect(report.of('settings')?.severity).toBe('ok');
    expect(report.of('settings_sources')?.measured['settings']).toContain('SPINE_API_KEY (.env)');
    expect(report.of('secret_files')).toMatchObject({ severity: 'warning', fix: `chmod 600 ${env}` });
    expect(report.of('data_roots')).toMatchObject({ severity: 'warning', measured: { state: 'missing' } });
    expect(report.of('folders')).toMatchObject({ severity: 'error', measured: { state: 'no_folder' } });
    expect(report.text).not.toContain(CANARY);

    chmodSync(env, 0o600);
    mkdirSync(join(folder, 'gone'));
    const mended = await look({ SPINE_DATA_ROOTS: join(folder, 'gone') });
    expect(mended.of('secret_files')).toMatchObject({ severity: 'ok', measured: { files: 1 } });
    expect(mended.of('folders')?.severity).toBe('ok');
    expect(mended.code).toBe(0);
  });

  it('has settings that cannot be used: they are a finding, and what needs them is not looked at', async () => {
    const report = await doctor(['--only', 'environment,database,redis'], {
      SPINE_PORT: 'x',
      SPINE_API_KEYS: CANARY,
    });
    expect(report.code).toBe(1);
    expect(report.of('settings')?.message).toMatch(/SPINE_PORT: given "x"/);
    for (const id of ['database_reachable', 'redis_reachable']) {
      expect(report.of(id)).toMatchObject({
        severity: 'error',
        message: 'not looked at: the settings cannot be used',
      });
    }
    expect(report.text).not.toContain(CANARY);
  });
});

it('is read by people as well, and says what it can be asked for', async () => {
  const people = await spine(['doctor', '--only', 'redis'], { url: 'http://127.0.0.1:9', cwd: folder });
  expect(people).toEqual({
    code: 0,
    out: 'redis\n  · no Redis is configured: the queue runs on Postgres\n\n0 errors, 0 warnings, 1 note, 0 fine\n',
    problem: '',
  });
  const wrong = await spine(['doctor', '--only', 'discs'], { url: 'http://127.0.0.1:9', cwd: folder });
  expect(wrong.code).toBe(2);
  expect(wrong.problem).toContain('--only takes one of environment, database');
});
