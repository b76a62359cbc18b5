import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  embeddedConnection,
  EmbeddedPostgresError,
  findEmbeddedPostgres,
  identifyProcess,
  isRunning,
  isStillRunning,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from '@spine/database/embedded';

const FIXTURE = fileURLToPath(new URL('./fixtures/start-postgres.ts', import.meta.url));

let base: string;
let template: string;
let counter = 0;
const servers: EmbeddedPostgres[] = [];
const helpers: ChildProcess[] = [];

/** A data directory holding a stopped cluster with one row in table `kept`. */
async function clusterCopy(): Promise<string> {
  const dataDir = join(base, `copy-${++counter}`, 'pg');
  await mkdir(dirname(dataDir), { recursive: true });
  await promisify(execFile)('cp', ['-a', template, dataDir]);
  await cp(`${template}.json`, `${dataDir}.json`);
  return dataDir;
}

async function start(
  dataDir: string,
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, durable: false, ...options });
  servers.push(server);
  return server;
}

async function query(connectionString: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function keptRows(server: EmbeddedPostgres): Promise<unknown[]> {
  return (await query(server.connectionString, 'SELECT note FROM kept')).map((row) => row['note']);
}

async function show(server: EmbeddedPostgres, ...names: string[]): Promise<Record<string, unknown>> {
  const rows = await query(
    server.connectionString,
    `SELECT ${names.map((name) => `current_setting('${name}') AS "${name}"`).join(', ')}`,
  );
  return rows[0] ?? {};
}

async function waitFor(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the awaited condition did not come');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'spine-embedded-'));
  // mkdtemp makes it private; as root the server runs as another user, who has to pass.
  await chmod(base, 0o755);
  template = join(base, 'template', 'pg');
  const server = await startEmbeddedPostgres({ dataDir: template, durable: false });
  try {
    expect(server.startedNew).toBe(true);
    await query(server.connectionString, `CREATE TABLE kept (note text); INSERT INTO kept VALUES ('first')`);
  } finally {
    await server.stop();
  }
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  for (const helper of helpers.splice(0)) helper.kill('SIGKILL');
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

describe('a new cluster', () => {
  it('is durable by default, checksummed, loopback only, and owned by an ordinary role', async () => {
    const dataDir = join(base, 'fresh', 'pg');
    const lines: string[] = [];
    const server = await startEmbeddedPostgres({ dataDir, onProgress: (line) => lines.push(line) });
    servers.push(server);

    expect(server).toMatchObject({ startedNew: true, dataDir });
    expect(lines.join('\n')).toContain('creating the database cluster');
    expect(
      await show(
        server,
        'fsync',
        'synchronous_commit',
        'full_page_writes',
        'data_checksums',
        'listen_addresses',
        'unix_socket_directories',
        'server_encoding',
        'TimeZone',
        'max_connections',
        'jit',
      ),
    ).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      full_page_writes: 'on',
      data_checksums: 'on',
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      server_encoding: 'UTF8',
      TimeZone: 'UTC',
      max_connections: '200',
      jit: 'off',
    });
    expect(
      await query(
        server.connectionString,
        `SELECT current_user, current_database(), rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user`,
      ),
    ).toEqual([{ current_user: 'spine', current_database: 'spine', rolsuper: false, rolcreatedb: true }]);
    expect(
      await query(server.adminConnectionString, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user'),
    ).toEqual([{ rolsuper: true }]);
    expect((await stat(`${dataDir}.json`)).mode & 0o777).toBe(0o600);
    expect((await readdir(dirname(dataDir))).sort()).toEqual(['pg', 'pg.json', 'pg.log']);
  });

  it('refuses a wrong password', async () => {
    const server = await start(await clusterCopy());
    const wrong = server.connectionString.replace(/:[^:@/]+@/, ':wrong@');
    await expect(query(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('does not touch a folder with other content', async () => {
    const dataDir = join(base, 'foreign');
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'letter.txt'), 'dear');
    const attempt = startEmbeddedPostgres({ dataDir });
    await expect(attempt).rejects.toThrow(EmbeddedPostgresError);
    await expect(attempt).rejects.toThrow(/foreign is not empty.*letter\.txt/s);
    expect(await readdir(dataDir)).toEqual(['letter.txt']);
  });

  it('is not confused by an initdb that was interrupted', async () => {
    const dataDir = join(base, 'interrupted', 'pg');
    await mkdir(`${dataDir}.init-0badcafe/base`, { recursive: true });
    await writeFile(`${dataDir}.init-0badcafe/PG_VERSION`, '18\n');
    const server = await start(dataDir);
    expect(server.startedNew).toBe(true);
    expect(existsSync(`${dataDir}.init-0badcafe`)).toBe(false);
  });
});

describe('an existing cluster', () => {
  it('keeps its data and its port', async () => {
    const dataDir = await clusterCopy();
    const first = await start(dataDir);
    await query(first.connectionString, `INSERT INTO kept VALUES ('second')`);
    await first.stop();
    const second = await start(dataDir);
    expect(second).toMatchObject({
      startedNew: false,
      port: first.port,
      connectionString: first.connectionString,
    });
    expect(await keptRows(second)).toEqual(['first', 'second']);
  });

  it('is found by who did not start it, while it runs', async () => {
    const dataDir = await clusterCopy();
    expect(await embeddedConnection(join(base, 'nothing'))).toEqual({ type: 'none' });
    expect(await embeddedConnection(dataDir)).toEqual({ type: 'stopped', dataDir });
    const server = await start(dataDir);
    const { connectionString } = server;
    expect(await embeddedConnection(dataDir)).toEqual({ type: 'running', connectionString, dataDir });
    await rm(`${dataDir}.json`);
    expect(await embeddedConnection(dataDir)).toEqual({ type: 'not_readable', dataDir });
  });

  it('can be switched between durable and not', async () => {
    const names = ['fsync', 'synchronous_commit', 'full_page_writes'];
    const dataDir = await clusterCopy();
    const fast = await start(dataDir, { durable: false });
    expect(Object.values(await show(fast, ...names))).toEqual(['off', 'off', 'off']);
    await fast.stop();
    const durable = await start(dataDir, { durable: true, settings: { fsync: 'off', work_mem: '12MB' } });
    expect(Object.values(await show(durable, ...names))).toEqual(['on', 'on', 'on']);
    expect(await show(durable, 'work_mem')).toEqual({ work_mem: '12MB' });
  });

  it('gets new passwords when their file is lost', async () => {
    const dataDir = await clusterCopy();
    const old: unknown = JSON.parse(await readFile(`${dataDir}.json`, 'utf8'));
    await rm(`${dataDir}.json`);
    const server = await start(dataDir);
    expect(server.startedNew).toBe(false);
    expect(await keptRows(server)).toEqual(['first']);
    expect(JSON.parse(await readFile(`${dataDir}.json`, 'utf8'))).not.toMatchObject(old as object);
  });

  it('moves to the next free port when somebody else has its port', async () => {
    const dataDir = await clusterCopy();
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    try {
      const { port } = squatter.address() as AddressInfo;
      const server = await start(dataDir, { port });
      expect(server.port).not.toBe(port);
      expect(await keptRows(server)).toEqual(['first']);
    } finally {
      squatter.close();
    }
  });

  it('made by another major version is left alone', async () => {
    const dataDir = await clusterCopy();
    await writeFile(join(dataDir, 'PG_VERSION'), '14\n');
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(
      /made by Postgres 14.*installed one is 18/s,
    );
  });

  it('is not started with a setting that would break out of its line', async () => {
    const dataDir = await clusterCopy();
    await expect(
      startEmbeddedPostgres({ dataDir, settings: { work_mem: "1MB'\nfsync = 'off" } }),
    ).rejects.toThrow(/work_mem holds a line break/);
    expect(await findEmbeddedPostgres(dataDir)).toBeUndefined();
  });

  it('reports why it does not start', async () => {
    const dataDir = await clusterCopy();
    await expect(startEmbeddedPostgres({ dataDir, settings: { shared_buffers: 'plenty' } })).rejects.toThrow(
      /did not start.*shared_buffers/s,
    );
  });
});

describe('stopping', () => {
  it('leaves no process and may be asked twice', async () => {
    const server = await start(await clusterCopy());
    expect(isRunning(server.pid)).toBe(true);
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
    await expect(query(server.connectionString, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('does not wait for clients that stay connected', async () => {
    const server = await start(await clusterCopy());
    const client = new pg.Client({ connectionString: server.connectionString });
    // Not events.once: it rejects on the error event that announces the shutdown.
    const lost = new Promise((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    await client.connect();
    await server.stop();
    await lost;
    expect(isRunning(server.pid)).toBe(false);
  });

  it('ends a start that is aborted', async () => {
    const dataDir = join(base, 'aborted', 'pg');
    const controller = new AbortController();
    const attempt = startEmbeddedPostgres({
      dataDir,
      durable: false,
      signal: controller.signal,
      onProgress: () => controller.abort(new Error('no longer wanted')),
    });
    await expect(attempt).rejects.toThrow('no longer wanted');
    expect(await findEmbeddedPostgres(dataDir)).toBeUndefined();
    expect((await readdir(dirname(dataDir))).filter((name) => name.startsWith('pg.init-'))).toEqual([]);
  });
});

describe('after a crash', () => {
  it('a server whose launcher was killed is stopped and started again with its data', async () => {
    const dataDir = await clusterCopy();
    const launcher = spawn(process.execPath, ['--conditions=@spine/source', FIXTURE, dataDir], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    helpers.push(launcher);
    const [message] = (await once(launcher, 'message')) as [{ pid: number; connectionString: string }];
    await query(message.connectionString, `INSERT INTO kept VALUES ('from the orphan')`);
    const orphan = identifyProcess(message.pid);
    launcher.kill('SIGKILL');
    await once(launcher, 'exit');
    expect(isStillRunning(orphan)).toBe(true);
    expect(await findEmbeddedPostgres(dataDir)).toBe(orphan.pid);

    const lines: string[] = [];
    const server = await start(dataDir, { onProgress: (line) => lines.push(line) });
    expect(isStillRunning(orphan)).toBe(false);
    expect(lines.join('\n')).toContain('stopped the Postgres that an earlier start left running');
    expect(await keptRows(server)).toEqual(['first', 'from the orphan']);
  });

  it('a killed postmaster is replaced, its committed rows are there', async () => {
    const dataDir = await clusterCopy();
    const first = await start(dataDir, { durable: true });
    await query(first.connectionString, `INSERT INTO kept VALUES ('committed')`);
    process.kill(first.pid, 'SIGKILL');
    await waitFor(() => !isRunning(first.pid));
    expect(existsSync(join(dataDir, 'postmaster.pid'))).toBe(true);
    const second = await start(dataDir);
    expect(second.pid).not.toBe(first.pid);
    expect(await keptRows(second)).toEqual(['first', 'committed']);
  });

  it('a pid file whose pid belongs to a stranger now is no obstacle, and the stranger lives', async () => {
    const dataDir = await clusterCopy();
    const first = await start(dataDir);
    const pidFile = join(dataDir, 'postmaster.pid');
    const { uid, gid } = await stat(pidFile);
    const content = await readFile(pidFile, 'utf8');
    await first.stop();

    // The same user, else Postgres itself sees that the pid cannot be its own.
    const stranger = spawn('sleep', ['600'], { uid, gid, cwd: '/' });
    helpers.push(stranger);
    await once(stranger, 'spawn');
    await writeFile(pidFile, content.replace(/^\d+/, String(stranger.pid)));
    await chown(pidFile, uid, gid);
    const second = await start(dataDir);
    expect(await keptRows(second)).toEqual(['first']);
    expect(stranger.exitCode).toBeNull();
    expect(stranger.signalCode).toBeNull();
  });
});

describe('a project below a private folder', () => {
  it('works: as root by relocating the data, as its owner in place', async () => {
    const home = join(base, 'private-home');
    await mkdir(home);
    await chmod(home, 0o700);
    const asked = join(home, '.spine', 'pg');
    const lines: string[] = [];
    const first = await start(asked, { onProgress: (line) => lines.push(line) });
    try {
      await query(first.connectionString, `CREATE TABLE kept (note text); INSERT INTO kept VALUES ('here')`);
      await first.stop();
      const second = await start(asked);
      expect(second).toMatchObject({ startedNew: false, dataDir: first.dataDir });
      expect(await keptRows(second)).toEqual(['here']);
      await second.stop();
      if (process.getuid?.() === 0) {
        expect(first.dataDir).toMatch(/^\/var\/lib\/spine\/[0-9a-f]{16}\/pg$/);
        expect(lines.join('\n')).toContain(`keeping the database in ${first.dataDir}`);
      } else {
        expect(first.dataDir).toBe(asked);
      }
    } finally {
      if (first.dataDir !== asked) await rm(dirname(first.dataDir), { recursive: true, force: true });
    }
  });
});
