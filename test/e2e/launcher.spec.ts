/** `npm start` as a user has it: the bootstrap, the launcher, the real services and the embedded Postgres. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  findEmbeddedPostgres,
  identifyProcess,
  isStillRunning,
  type ProcessIdentity,
} from '@spine/database/embedded';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 300_000;

interface Lock {
  readonly launcher: { readonly pid: number };
  readonly children: readonly { readonly name: string; readonly pid: number }[];
}

interface RunBody {
  readonly data: { readonly run_id: string; readonly status: string; readonly result: unknown };
}

/** One `npm start`, from its first line to its exit code. */
class Start {
  readonly process: ChildProcess;
  readonly exitCode: Promise<number | null>;
  output = '';
  #ended = false;

  constructor(dataDir: string, env: Record<string, string> = {}) {
    this.process = spawn(process.execPath, [join(ROOT, 'scripts', 'bootstrap.mjs'), 'start'], {
      cwd: ROOT,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: process.env['HOME'] ?? '',
        SPINE_DATA_DIR: dataDir,
        SPINE_PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer): void => void (this.output += chunk.toString('utf8'));
    this.process.stdout?.on('data', collect);
    this.process.stderr?.on('data', collect);
    this.exitCode = once(this.process, 'close').then(([code]) => {
      this.#ended = true;
      return code as number | null;
    });
    starts.push(this);
  }

  get ended(): boolean {
    return this.#ended;
  }

  async says(text: string): Promise<void> {
    await until(() => {
      if (!this.output.includes(text) && this.#ended)
        throw new Error(`ended without "${text}":\n${this.output}`);
      return this.output.includes(text);
    }, `"${text}" in:\n${this.output}`);
  }

  /** The API's address, once everything runs. */
  async ready(): Promise<string> {
    await this.says('Ctrl-C stops everything.');
    return /API +(http:\S+)\n/.exec(this.output)?.[1] ?? '';
  }

  /** Bodies of the curl lines it printed. */
  curlBodies(): unknown[] {
    return [...this.output.matchAll(/curl .* -d '(.*)'$/gm)].map(
      ([, body]) => JSON.parse(body ?? '') as unknown,
    );
  }
}

const starts: Start[] = [];
let base: string;
let counter = 0;

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function newDataDir(): string {
  return join(base, `project-${++counter}`);
}

function readLock(dataDir: string): Lock {
  return JSON.parse(readFileSync(join(dataDir, 'launcher.json'), 'utf8')) as Lock;
}

/** Every process that belongs to a started Spine: launcher, services, Postgres. */
async function everyProcess(dataDir: string): Promise<ProcessIdentity[]> {
  const { launcher, children } = readLock(dataDir);
  const postgres = await findEmbeddedPostgres(join(dataDir, 'postgres'));
  const pids = [
    launcher.pid,
    ...children.map(({ pid }) => pid),
    ...(postgres === undefined ? [] : [postgres]),
  ];
  return pids.map((pid) => identifyProcess(pid));
}

async function submit(url: string, spec: unknown): Promise<string> {
  const response = await fetch(`${url}/api/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spec),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as RunBody).data.run_id;
}

/** A workflow that only the API was told of, in steps that any worker of the deployment can take. */
async function runsPosted(url: string): Promise<void> {
  const yaml = `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: posted.flow }
spec:
  steps:
    - { name: ask, kind: approval, approvers: [ops], auto_approve: [e2e] }
    - { name: load, kind: operation, handler: etl_stub, params: { records: "{{ params.records }}" } }
    - { name: rest, kind: wait, wait: { duration_seconds: 0.1 } }
  outputs: { loaded: "{{ steps.load.output.loaded }}", automatic: "{{ steps.ask.output.automatic }}" }
`;
  const response = await fetch(`${url}/api/v1/workflows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ yaml_content: yaml }),
  });
  expect(response.status, await response.text()).toBe(201);
  const run = { kind: 'workflow', name: 'posted.flow', params: { records: 3 } };
  const { result } = await completed(url, await submit(url, run));
  expect(result).toEqual({ loaded: 3, automatic: true });
}

async function readRun(url: string, runId: string): Promise<RunBody['data']> {
  const response = await fetch(`${url}/api/v1/runs/${runId}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as RunBody).data;
}

async function completed(url: string, runId: string): Promise<RunBody['data']> {
  let run = await readRun(url, runId);
  await until(async () => {
    run = await readRun(url, runId);
    return !['pending', 'queued', 'running'].includes(run.status);
  }, `the end of run ${runId}`);
  expect(run.status).toBe('completed');
  return run;
}

const echo = (message: string) => ({ kind: 'task', name: 'echo', params: { message } });

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'spine-launcher-'));
  // mkdtemp makes it private; as root Postgres runs as another user, who has to pass.
  await chmod(base, 0o755);
});

afterEach(async () => {
  for (const start of starts.splice(0)) {
    if (!start.ended) start.process.kill('SIGTERM');
    await start.exitCode;
  }
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

describe('npm start', () => {
  it(
    'runs work as printed, refuses a second start, restarts a worker, and Ctrl-C leaves no process',
    async () => {
      const dataDir = newDataDir();
      const start = new Start(dataDir, { SPINE_ENVIRONMENT: 'e2e' });
      const url = await start.ready();
      for (const stage of [
        'config',
        'postgres',
        'migrate',
        'queue',
        'api',
        'workers',
        'scheduler',
        'ready',
      ]) {
        expect(start.output).toMatch(new RegExp(`^✓ ${stage} `, 'm'));
      }
      expect(start.output).toContain('open (local mode)');
      expect((await fetch(`${url}/docs`)).status).toBe(200);
      expect((await fetch(`${url}/admin/queues`)).status).toBe(200);

      const [hello, ingest] = start.curlBodies();
      expect(hello).toEqual(echo('hello'));
      expect(ingest).toMatchObject({ name: 'finra.otc_transparency.ingest_week' });
      await completed(url, await submit(url, hello));
      await completed(url, await submit(url, ingest));
      await runsPosted(url);

      const second = new Start(dataDir);
      expect(await second.exitCode).toBe(1);
      expect(second.output).toContain(`already runs (process ${readLock(dataDir).launcher.pid}, ${url})`);
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);

      const worker = readLock(dataDir).children.find(({ name }) => name === 'worker-1');
      process.kill(worker?.pid ?? 0, 'SIGKILL');
      await start.says('worker-1 is running again');
      await completed(url, await submit(url, echo('after the restart')));

      const everything = await everyProcess(dataDir);
      expect(everything).toHaveLength(6);
      expect(everything.filter(isStillRunning)).toHaveLength(6);
      start.process.kill('SIGINT');
      expect(await start.exitCode).toBe(0);
      expect(everything.filter(isStillRunning)).toEqual([]);
      expect(await findEmbeddedPostgres(join(dataDir, 'postgres'))).toBeUndefined();
      expect(existsSync(join(dataDir, 'launcher.json'))).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'after kill -9 of the launcher the services end, and the next start repairs the rest and knows every run',
    async () => {
      const dataDir = newDataDir();
      const first = new Start(dataDir);
      const firstUrl = await first.ready();
      const runId = await submit(firstUrl, echo('survivor'));
      await completed(firstUrl, runId);
      const before = await everyProcess(dataDir);
      const postgres = await findEmbeddedPostgres(join(dataDir, 'postgres'));
      process.kill(readLock(dataDir).launcher.pid, 'SIGKILL');
      await until(
        () => before.filter(isStillRunning).every(({ pid }) => pid === postgres),
        'the end of the services whose launcher was killed',
      );
      expect(await findEmbeddedPostgres(join(dataDir, 'postgres'))).toBe(postgres);

      const second = new Start(dataDir);
      const url = await second.ready();
      expect(second.output).toContain('stopped the Postgres that an earlier start left running');
      expect(before.filter(isStillRunning)).toEqual([]);
      expect(await readRun(url, runId)).toMatchObject({ status: 'completed' });
      await completed(url, await submit(url, echo('again')));

      const after = await everyProcess(dataDir);
      second.process.kill('SIGTERM');
      expect(await second.exitCode).toBe(0);
      expect(after.filter(isStillRunning)).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'an interrupted start leaves no process',
    async () => {
      const dataDir = newDataDir();
      const start = new Start(dataDir);
      await start.says('✓ api');
      const started = await everyProcess(dataDir);
      expect(started.length).toBeGreaterThanOrEqual(3);
      start.process.kill('SIGINT');
      expect(await start.exitCode).toBe(0);
      expect(started.filter(isStillRunning)).toEqual([]);
      expect(await findEmbeddedPostgres(join(dataDir, 'postgres'))).toBeUndefined();
      expect(existsSync(join(dataDir, 'launcher.json'))).toBe(false);
      expect(start.output).not.toContain('failed:');
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'names the port that is taken when the user chose it, and stops what it had started',
    async () => {
      const squatter = createServer().listen(0, '127.0.0.1');
      await once(squatter, 'listening');
      try {
        const { port } = squatter.address() as AddressInfo;
        const dataDir = newDataDir();
        const start = new Start(dataDir, { SPINE_PORT: String(port) });
        expect(await start.exitCode).toBe(1);
        expect(start.output).toContain(`SPINE_PORT: port ${port} of 127.0.0.1 is in use`);
        expect(await findEmbeddedPostgres(join(dataDir, 'postgres'))).toBeUndefined();
        expect(existsSync(join(dataDir, 'launcher.json'))).toBe(false);
      } finally {
        squatter.close();
      }
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'does not open the API to the network without keys, and starts nothing',
    async () => {
      const dataDir = newDataDir();
      const start = new Start(dataDir, { SPINE_HOST: '0.0.0.0', SPINE_WORKERS: 'many' });
      expect(await start.exitCode).toBe(1);
      expect(start.output).toContain('2 settings are not usable');
      expect(start.output).toContain('SPINE_WORKERS: given "many"; allowed: a whole number from 0 to 64');
      expect(start.output).toContain('SPINE_API_KEYS: not set, and SPINE_HOST is "0.0.0.0"');
      expect(existsSync(dataDir)).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );
});
